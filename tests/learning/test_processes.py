"""Two processes give what one gives, up to the order of float summation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import palimpsest
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.config import resolve, to_toml
from tests.tiny import QUIET, interrupted_after, tiny


def processes(*arguments: str) -> subprocess.CompletedProcess:
    """The program in two processes, started by torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "palimpsest"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment)


GUIDE = {"teacher_steps": 2, "guided_steps": 2, "refresh": 2}


@pytest.mark.parametrize(
    "strategy", ["generative_distillation", "trajectory_distillation", "experience_replay", "guide"]
)
def test_two_processes_give_what_one_gives(strategy, tmp_path):
    """By epochs of 51 pictures in batches of 8, so that the last batch is short and the shares are uneven."""
    tables = tiny(
        stream={"name": "digits", "tasks": 2, "limit": 51},
        training={"steps": 0, "epochs": 1},
        evaluation={"samples": 41, "batch": 15, "evaluator": {"steps": 10}},
        strategy={"name": strategy, "experience_replay": {"memory_size": 3}, "guide": GUIDE},
    )
    experiment = tmp_path / "tiny.toml"
    experiment.write_text(to_toml(resolve(tables)))
    one = palimpsest.train(tables, out=tmp_path / "one", display=QUIET)
    ended = processes("train", str(experiment), "--out", str(tmp_path / "two"))
    assert ended.returncode == 0, ended.stderr
    two = json.loads((tmp_path / "two" / "results.json").read_text())
    assert close(tmp_path / "one", tmp_path / "two")
    for passes in ("student_passes", "teacher_passes"):
        assert one.results["cost"][passes] == two["cost"][passes]
    for task, other in zip(one.results["tasks"], two["tasks"], strict=True):
        assert task["measures"] == pytest.approx(other["measures"], rel=0.05)


def test_two_processes_go_on_with_what_one_began(tmp_path):
    """And only the first of them speaks."""
    tables = tiny()
    whole = palimpsest.train(tables, out=tmp_path / "one", display=QUIET)
    with interrupted_after(6):
        palimpsest.train(tables, out=tmp_path / "two", display=QUIET)
    newest = sorted((tmp_path / "two" / "checkpoints").iterdir())[-1]
    (newest / "state.safetensors").write_bytes(b"damaged")
    ended = processes("resume", str(tmp_path / "two"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("is damaged") == 1 and ended.stdout.count("samples  ") == 1
    assert close(whole.path, tmp_path / "two")


def close(one: Path, other: Path) -> bool:
    """Whether the final models agree up to float summation."""
    models = [open_pipeline(run / "models" / "task_2")[0].state_dict() for run in (one, other)]
    return all(torch.allclose(a, b, atol=2e-4) for a, b in zip(*(m.values() for m in models), strict=True))
