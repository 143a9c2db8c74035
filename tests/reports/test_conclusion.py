"""What a study ends with is the table and the page of its runs."""

import json

from palimpsest.reports.conclusion import conclude
from tests.reports.fake_runs import a_study
from tests.reports.test_table import printed


def test_a_study_ends_with_its_table_and_a_page_that_is_written_anew_each_time(tmp_path):
    runs = a_study(tmp_path, strategies=("joint", "finetune"))
    page = tmp_path / "report.html"
    page.write_text("of an earlier time")
    text = printed(conclude(runs, tmp_path), 160)
    assert "joint" in text and "finetune" in text and "mean ± standard error" in text
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_study_of_generators_and_classifiers_has_a_table_with_gaps(tmp_path):
    runs = a_study(tmp_path, strategies=("joint", "icarl"))
    for run in runs[2:]:
        results = json.loads((run / "results.json").read_text())
        for task in results["tasks"]:
            task["measures"] = {"accuracy": 0.75}
        results |= {"extractor": {}, "evaluator": {}, "final": {"accuracy": 0.75}}
        (run / "results.json").write_text(json.dumps(results))
    text = printed(conclude(runs, tmp_path, said=["all runs have training.steps=3"]), 160)
    assert "no samples of icarl were measured" in text and "all runs have training.steps=3" in text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no samples of icarl were measured" in page and "all runs have training.steps=3" in page


def test_of_published_rows_it_is_ours_beside_the_papers(tmp_path):
    runs = a_study(tmp_path, strategies=("joint", "finetune"))
    row = {"table": "1", "strategy": "joint", "options": {}, "fid": (15.49, 1.3)}
    published = {"experiment": "digits", "seeds": [0, 1], "settings": {}, "rows": [row]}
    text = printed(conclude(runs, tmp_path, published=published), 160)
    assert "15.49 ± 1.30" in text and "no published row for" in text
