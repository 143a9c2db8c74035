"""The study of guidance and prompts with a text-to-image model, from its script to its pages: with a miniature, and few pictures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from palimpsest.runs.config import resolve, to_toml
from tests.synthesis.test_end_to_end import drawn_pets, tables_of
from tests.synthesis.test_kinds_of_model import save_checked

SCRIPT = Path(__file__).parents[2] / "docs" / "studies" / "text_to_image.sh"


@pytest.mark.slow
def test_the_script_draws_each_set_once_and_ends_with_pages(prompts, tmp_path):
    model = save_checked(tmp_path / "model", least=2.0)  # no cosine is that large, and nothing is flagged
    (tmp_path / "pets.toml").write_text(to_toml(resolve(tables_of(drawn_pets(tmp_path / "pets", 16)), "lucir")))
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PALIMPSEST_CACHE": str(tmp_path / "cache"),
        "EXPERIMENT": str(tmp_path / "pets.toml"),
        "PROMPTS": str(prompts),
        "SETS": "synthetic.per_class=2 synthetic.steps=2",
    }
    for _ in range(2):  # what is there already is not run again
        subprocess.run(["bash", SCRIPT, tmp_path / "runs", model], env=environment, check=True)
    runs = [json.loads(file.read_text()) for file in tmp_path.glob("runs/*/*/results.json")]
    assert len(runs) == 1 + 4 + 2 and all(run["finished"] for run in runs)
    drawn = [run for run in runs if "synthetic" in run["tasks"][-1]]
    assert len(drawn) == 6 and len(list((tmp_path / "cache" / "synthetic").glob("*/manifest.json"))) == 5, (
        "2 and name, definition are the defaults"
    )
    prompted = {
        entry["prompt"]
        for file in tmp_path.glob("cache/synthetic/*/manifest.json")
        for entry in json.loads(file.read_text())["classes"]
    }
    assert prompted == {"cat", "dog", "big eel", "cat, a pet", "dog, barks"}
    assert len(list(tmp_path.glob("runs/*/report.html"))) == 3
