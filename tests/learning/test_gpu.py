"""What holds on a GPU. Everything else is tested on the CPU."""

from unittest.mock import Mock

import pytest
import torch

import palimpsest
from palimpsest.learning.continual import learn, open_task, turn_page
from palimpsest.learning.remembering import greet
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from tests.tiny import QUIET, interrupted_after, tiny

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
STRATEGIES = [
    "joint",
    "generative_replay",
    "generative_distillation",
    "trajectory_distillation",
    "partial_distillation",
    "jdcl",
    "lucir",
]
JOINT = {"learner": "joint"}
INCREMENTAL = {
    "learner": "classifier",
    "stream": {"name": "digits", "tasks": [[0, 1, 2], [3, 4]], "limit": 400},
    "classifier": {"network": "resnet8", "head": "growing", "training": {"steps": 24, "batch": 8}},
}
LEARNER = {"jdcl": JOINT, "lucir": INCREMENTAL}


def tables(strategy: str = "generative_distillation", **engine) -> dict:
    return tiny(**LEARNER.get(strategy, {}), engine={"device": "cuda", "threads": 1, "log_every": 2} | engine)


def weights_of(run) -> list[torch.Tensor]:
    """All but the biases of attention's keys, whose gradient is 0 but for rounding, which Adam takes for a direction."""
    weights = open_pipeline(run.path / "models" / "task_2")[0].state_dict()
    return [tensor for name, tensor in weights.items() if not name.endswith("to_k.bias")]


def furthest(one, other) -> float:
    return max((a - b).abs().max().item() for a, b in zip(weights_of(one), weights_of(other), strict=True))


def test_a_run_learns_on_the_gpu_what_it_learns_there_again(tmp_path):
    one, other = (palimpsest.train(tables(), out=tmp_path / name, display=QUIET) for name in ("one", "other"))
    assert furthest(one, other) < 1e-4
    assert one.results["cost"]["peak_memory_bytes"] > 0


def test_a_run_on_the_gpu_goes_on_where_it_stopped(tmp_path):
    whole = palimpsest.train(tables(), out=tmp_path / "whole", display=QUIET)
    with interrupted_after(6):
        palimpsest.train(tables(), out=tmp_path / "run", display=QUIET)
    assert furthest(palimpsest.resume(tmp_path / "run", display=QUIET), whole) < 1e-4


@pytest.mark.parametrize("engine", [{"precision": "bf16"}, {"compile": True}, {"precision": "bf16", "compile": True}])
def test_a_run_is_finite_in_other_numerics(engine, tmp_path):
    run = palimpsest.train(tables(**engine), out=tmp_path / "run", display=QUIET)
    assert all(tensor.isfinite().all() for tensor in weights_of(run))


class Strict:
    """What comes after each step: from the third step to the one before the last, whatever waits for the device raises."""

    def __init__(self, progress) -> None:
        self.progress, self.watched = progress, 0

    def __call__(self, pictures: int) -> None:
        strict = 2 <= self.progress.step < self.progress.steps - 1
        torch.cuda.set_sync_debug_mode("error" if strict else "default")
        self.watched += strict


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_step_waits_for_the_device(strategy):
    """Among these steps are some that draw the next chunk of what the teacher gives. tests/laws/test_waiting.py has all strategies."""
    settings = {"training.steps": 24, "engine.dream_batch": 16}
    options = {"jdcl": {"per_class": 4, "teacher_steps": 2}, "lucir": {"per_class": 4}}.get(strategy, {})
    assembly = assemble(resolve(tables(strategy), strategy, options, settings))
    plan, progress = assembly.plan, assembly.progress
    first = open_task(plan, progress, assembly.stream.tasks[0])
    greet(progress.learners, first.classes)
    turn_page(plan, first, progress, progress.past.remembering(first))
    strict = Strict(progress)
    try:
        learn(plan, open_task(plan, progress, assembly.stream.tasks[1]), progress, Mock(after_step=strict))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert strict.watched >= 21
