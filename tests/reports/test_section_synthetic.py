"""What the page says of synthetic pictures."""

import json

from palimpsest.reports.page import write_report
from tests.reports.fake_runs import a_run


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
