"""What a study ends with is the table and the page of its runs."""

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


def test_of_published_rows_it_is_ours_beside_the_papers(tmp_path):
    runs = a_study(tmp_path, strategies=("joint", "finetune"))
    row = {"table": "1", "strategy": "joint", "options": {}, "fid": (15.49, 1.3)}
    published = {"experiment": "digits", "seeds": [0, 1], "settings": {}, "rows": [row]}
    text = printed(conclude(runs, tmp_path, published=published), 160)
    assert "15.49 ± 1.30" in text and "no published row for" in text
