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

ROOT = Path(__file__).parents[2]


def processes(module: str, *arguments: str) -> subprocess.CompletedProcess:
    """A module in two processes, started by torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", module]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return ended


OPTIONS = {
    "experience_replay": {"memory_size": 3},
    "guide": {"teacher_steps": 2, "guided_steps": 2, "refresh": 2},
    "lucir": {"per_class": 2, "balanced_epochs": 1},
    "podnet": {"per_class": 2, "balanced_epochs": 1},
    "foster": {"per_class": 2},
    "gfr": {"critic_steps": 2},
    "jdcl": {"per_class": 4, "teacher_steps": 2, "global_steps": 4},
}
GENERATORS = ("generative_distillation", "trajectory_distillation", "experience_replay", "guide")
CLASSIFIERS = {
    "lucir": {"learner": "classifier", "synthetic": {"source": "ideal", "per_class": 5}},
    "podnet": {"learner": "classifier"},
    "foster": {"learner": "classifier", "synthetic": {"source": "ideal", "per_class": 5}},
    "gfr": {"feature_gan": {"training": {"steps": 4, "batch": 8}}},
    "jdcl": {"joint": {"head_width": 8, "head_dropout": 0.0}, "augmentation": {"strong": ["cutout 2"]}},
}


def generator(name: str) -> dict:
    """By epochs of 51 pictures in batches of 8, so that the last batch is short and the shares are uneven."""
    return tiny(
        stream={"name": "digits", "tasks": 2, "limit": 51},
        training={"steps": 0, "epochs": 1},
        evaluation={"samples": 41, "batch": 15, "evaluator": {"steps": 10}},
        strategy={"name": name, name: OPTIONS.get(name, {})},
    )


def classifier(name: str) -> dict:
    """A margin over the old pictures of both, synthetic rows last, features made in both, and few labels."""
    stream = {"name": "digits", "tasks": [[0, 1], [2, 3]], "limit": 203, "held_back": 0.3}
    return tiny(
        stream=stream | ({"labels": 4} if name == "jdcl" else {}),
        classifier={"head": "growing", "dropout": 0.0, "training": {"steps": 4, "batch": 9}},
        strategy={"name": name, name: OPTIONS[name]},
        **CLASSIFIERS[name],
    )


BY_BATCH = tiny(
    learner="classifier",
    stream={"name": "digits", "tasks": [[0, 1], [2, 3]], "limit": 203},
    classifier={"network": "resnet8", "head": "growing", "training": {"steps": 4, "batch": 9}},
    strategy={"name": "lucir", "lucir": {"per_class": 3}},
)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The runs of all cases in two processes, by name: in one start of torchrun, which takes longer than a run."""
    place = tmp_path_factory.mktemp("two")
    cases = {name: generator(name) for name in GENERATORS} | {name: classifier(name) for name in CLASSIFIERS}
    for name, tables in (cases | {"by_batch": BY_BATCH}).items():
        (place / f"{name}.toml").write_text(to_toml(resolve(tables)))
    processes("tests.learning.several", str(place))
    return place


@pytest.mark.parametrize("name", GENERATORS)
def test_two_processes_give_what_one_gives(name, two, tmp_path):
    one = palimpsest.train(generator(name), out=tmp_path / "one", display=QUIET)
    other = json.loads((two / name / "results.json").read_text())
    assert close(one.path, two / name)
    for passes in ("student_passes", "teacher_passes"):
        assert one.results["cost"][passes] == other["cost"][passes]
    for task, same_task in zip(one.results["tasks"], other["tasks"], strict=True):
        assert task["measures"] == pytest.approx(same_task["measures"], rel=0.05)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_two_processes_give_the_classifier_that_one_gives(name, two, tmp_path):
    one = palimpsest.train(classifier(name), out=tmp_path / "one", display=QUIET)
    both = [open_learners(run / "models" / "task_2") for run in (one.path, two / name)]
    for learner, trained in both[0].items():
        pairs = zip(trained.state_dict().values(), both[1][learner].state_dict().values(), strict=True)
        assert all(torch.allclose(a.float(), b.float(), atol=2e-4) for a, b in pairs), learner


def test_two_processes_remember_the_same_with_statistics_of_batches(two, tmp_path):
    """Those of the first process are all processes' own: an interrupted run goes on as if it had not been."""
    again = shutil.copytree(two / "by_batch", tmp_path / "again")
    shutil.rmtree(sorted((again / "checkpoints").iterdir())[-1])
    results = again / "results.json"
    results.write_text(json.dumps(json.loads(results.read_text()) | {"finished": False}))
    processes("palimpsest", "resume", str(again))
    both = [open_learners(run / "models" / "task_2") for run in (two / "by_batch", again)]
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
    ended = processes("palimpsest", "resume", str(tmp_path / "two"))
    assert ended.stdout.count("is damaged") == 1 and ended.stdout.count("samples  ") == 1
    assert close(whole.path, tmp_path / "two")


def close(one: Path, other: Path) -> bool:
    """Whether the final models agree up to float summation."""
    models = [open_pipeline(run / "models" / "task_2")[0].state_dict() for run in (one, other)]
    return all(torch.allclose(a, b, atol=2e-4) for a, b in zip(*(m.values() for m in models), strict=True))
