"""What the page says of synthetic pictures."""

import json

import pytest

from palimpsest.reports.page import write_report
from tests.reports.fake_runs import a_run


def with_gap(run, gap):
    """The run, whose last task says how far its synthetic pictures are."""
    results = json.loads((run / "results.json").read_text())
    results["tasks"][-1]["synthetic"] = gap
    (run / "results.json").write_text(json.dumps(results))
    return run


@pytest.mark.parametrize(("own", "kid"), [(0.004, "0.020 ± 0.010"), (0.025, "0.020 ± 0.025")])
def test_all_runs_count_and_a_class_those_in_which_it_was_past(own, kid, tmp_path):
    """Two seeds: class 3 is past in both, class 4 in one alone. The larger of KID's errors counts, for runs may share their pictures."""
    gaps = [
        {"source": "ideal", "count": 40, "fid": 4.0, "kid": 0.01, "kid_se": own, "pure": 0.9},
        {"source": "ideal", "count": 40, "fid": 6.0, "kid": 0.03, "kid_se": own, "pure": 0.8},
    ]
    parts = [[{"class": 3, "count": 4, "pure": 0.5}], [{"class": 3, "count": 4, "pure": 1.0}, {"class": 4, "count": 7}]]
    runs = [with_gap(a_run(tmp_path, "finetune", seed), gaps[seed] | {"per_class": parts[seed]}) for seed in (0, 1)]
    text = write_report(runs, tmp_path / "page.html").read_text(encoding="utf-8")
    section = text[text.index('id="synthetic"') :]
    for said in ("5.0 ± 1.0", kid, "85.0% ± 5.0%", "75.0% ± 25.0%"):
        assert said in section, said
    rows = [row for row in section.split("<tr>") if ">4<" in row.replace("</th>", "<").replace("</td>", "<")]
    assert any(">1<" in row and ">7<" in row for row in rows), "class 4 was past in one run"


def test_synthetic_pictures_are_compared_with_real_ones_and_counted(tmp_path):
    run = a_run(tmp_path, "finetune")
    results = json.loads((run / "results.json").read_text())
    gap = {"source": "ideal", "count": 40, "fid": 5.4321, "kid": 0.0123, "kid_se": 0.0021, "pure": 0.925}
    part = {"class": 3, "count": 4, "pure": 0.75}
    for task in results["tasks"]:
        task["seen"] = {"steps": 100, "real": 1600, "synthetic": 1600 if task["number"] > 1 else 0}
    results["tasks"][-1]["synthetic"] = gap | {"per_class": [part]}
    (run / "results.json").write_text(json.dumps(results))
    text = write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    section = text[text.index('id="synthetic"') :]
    for said in ("5.432", "0.0123 ± 0.0021", "92.5%", "75.0%", "8k", "6.4k", "500", "ideal"):
        assert said in section, said
    other = write_report([a_run(tmp_path / "other")], tmp_path / "other.html").read_text(encoding="utf-8")
    assert "ynthetic pictures" not in other
