"""Two processes give what one gives, up to the order of float summation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import palimpsest
from palimpsest.runs.config import resolve, to_toml
from palimpsest.runs.pipelines import open_pipeline
from tests.tiny import QUIET, tiny


@pytest.mark.parametrize("strategy", ["generative_distillation", "experience_replay"])
def test_two_processes_give_what_one_gives(strategy, tmp_path):
    """By epochs of 51 pictures in batches of 8, so that the last batch is short and the shares are uneven."""
    tables = tiny(
        stream={"name": "digits", "tasks": 2, "limit": 51},
        training={"steps": 0, "epochs": 1},
        evaluation={"samples": 41, "batch": 15, "evaluator": {"steps": 10}},
        strategy={"name": strategy, "experience_replay": {"memory_size": 3}},
    )
    experiment = tmp_path / "tiny.toml"
    experiment.write_text(to_toml(resolve(tables)))
    one = palimpsest.train(tables, out=tmp_path / "one", display=QUIET)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "palimpsest"]
    ended = subprocess.run(
        [*command, "train", str(experiment), "--out", str(tmp_path / "two")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    two = json.loads((tmp_path / "two" / "results.json").read_text())
    assert close(tmp_path / "one", tmp_path / "two")
    for passes in ("student_passes", "teacher_passes"):
        assert one.results["cost"][passes] == two["cost"][passes]
    for task, other in zip(one.results["tasks"], two["tasks"], strict=True):
        assert task["measures"] == pytest.approx(other["measures"], rel=0.05)


def close(one: Path, other: Path) -> bool:
    """Whether the final models agree up to float summation."""
    models = [open_pipeline(run / "models" / "task_2")[0].state_dict() for run in (one, other)]
    return all(torch.allclose(a, b, atol=2e-4) for a, b in zip(*(m.values() for m in models), strict=True))
