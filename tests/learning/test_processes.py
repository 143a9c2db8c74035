"""Two processes give what one gives, up to the order of float summation."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import palimpsest
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.config import resolve, to_toml
from palimpsest.runs.models import open_learners
from tests.tiny import QUIET, interrupted_after, same, tiny


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


CLASSIFIERS = {
    "lucir": {"learner": "classifier", "synthetic": {"source": "ideal", "per_class": 5}},
    "podnet": {"learner": "classifier"},
    "foster": {"learner": "classifier", "synthetic": {"source": "ideal", "per_class": 5}},
    "gfr": {"feature_gan": {"training": {"steps": 4, "batch": 8}}},
    "jdcl": {"joint": {"head_width": 8, "head_dropout": 0.0}, "augmentation": {"strong": ["cutout 2"]}},
}
OPTIONS = {
    "lucir": {"per_class": 2, "balanced_epochs": 1},
    "podnet": {"per_class": 2, "balanced_epochs": 1},
    "foster": {"per_class": 2},
    "gfr": {"critic_steps": 2},
    "jdcl": {"per_class": 4, "teacher_steps": 2, "global_steps": 4},
}


@pytest.mark.parametrize("strategy", CLASSIFIERS)
def test_two_processes_give_the_classifier_that_one_gives(strategy, tmp_path):
    """A margin over the old pictures of both, synthetic rows last, features made in both, and few labels."""
    stream = {"name": "digits", "tasks": [[0, 1], [2, 3]], "limit": 203, "held_back": 0.3}
    tables = tiny(
        stream=stream | ({"labels": 4} if strategy == "jdcl" else {}),
        classifier={"head": "growing", "dropout": 0.0, "training": {"steps": 4, "batch": 9}},
        strategy={"name": strategy, strategy: OPTIONS[strategy]},
        **CLASSIFIERS[strategy],
    )
    experiment = tmp_path / "tiny.toml"
    experiment.write_text(to_toml(resolve(tables)))
    palimpsest.train(tables, out=tmp_path / "one", display=QUIET)
    ended = processes("train", str(experiment), "--out", str(tmp_path / "two"))
    assert ended.returncode == 0, ended.stderr
    both = [open_learners(tmp_path / run / "models" / "task_2") for run in ("one", "two")]
    for name, learner in both[0].items():
        pairs = zip(learner.state_dict().values(), both[1][name].state_dict().values(), strict=True)
        assert all(torch.allclose(a.float(), b.float(), atol=2e-4) for a, b in pairs), name


def test_two_processes_remember_the_same_with_statistics_of_batches(tmp_path):
    """Those of the first process are all processes' own: an interrupted run goes on as if it had not been."""
    tables = tiny(
        learner="classifier",
        stream={"name": "digits", "tasks": [[0, 1], [2, 3]], "limit": 203},
        classifier={"network": "resnet8", "head": "growing", "training": {"steps": 4, "batch": 9}},
        strategy={"name": "lucir", "lucir": {"per_class": 3}},
    )
    experiment = tmp_path / "tiny.toml"
    experiment.write_text(to_toml(resolve(tables)))
    ended = processes("train", str(experiment), "--out", str(tmp_path / "whole"))
    assert ended.returncode == 0, ended.stderr
    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    newest = sorted((tmp_path / "again" / "checkpoints").iterdir())[-1]
    shutil.rmtree(newest)
    results = tmp_path / "again" / "results.json"
    results.write_text(json.dumps(json.loads(results.read_text()) | {"finished": False}))
    ended = processes("resume", str(tmp_path / "again"))
    assert ended.returncode == 0, ended.stderr
    both = [open_learners(tmp_path / run / "models" / "task_2") for run in ("whole", "again")]
    for name, learner in both[0].items():
        assert same(learner, both[1][name]), name


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
