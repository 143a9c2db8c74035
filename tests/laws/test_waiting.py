"""No step of any strategy asks for a number, or for a tensor of a size that only the numbers decide: a GPU would be waited for.

What such operations are called is the same on every device, so that this is seen without a GPU.
"""

import sys
from contextlib import ExitStack
from unittest.mock import Mock

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from palimpsest.learning.continual import learn, open_task, turn_page
from palimpsest.learning.remembering import greet
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from palimpsest.sources import randaugment
from palimpsest.strategies import catalog
from tests.tiny import tiny

WAITING = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "equal",
    "bincount",
    "_unique2",
    "unique_dim",
    "_linalg_check_errors",
}
STEPS = 6
BASE = {
    "stream": {"name": "digits", "tasks": [[0, 1, 2], [3, 4]], "limit": 200},
    "training": {"steps": STEPS, "batch": 8},
}
CLASSIFIER = {
    "learner": "classifier",
    "classifier": {"network": "resnet8", "head": "growing", "training": {"steps": STEPS, "batch": 8}},
    "augmentation": {"logits": ["padded_crop 1", "flip"]},
}
LEARNER = {
    "conditional_generative_distillation": {"learner": "conditional_denoiser"},
    "gfr": {"feature_gan": {"training": {"steps": STEPS, "batch": 8}}},
    "jdcl": {"learner": "joint"},
    "self_training": {
        "learner": "joint",
        "stream": {"name": "digits", "tasks": [[0, 1, 2]], "rounds": 1, "limit": 200},
    },
    "icarl": CLASSIFIER,
    "lucir": CLASSIFIER,
    "podnet": CLASSIFIER,
    "foster": CLASSIFIER,
    "der_expand": CLASSIFIER,
}
MORE = {"icarl": {"loss": "sigmoid"}}  # its other loss; the usual one has the parts of lwf
VIEWS = {
    "noise": ["flip", "resized_crop 0.8"],
    "logits": ["flip", "padded_crop 1"],
    "strong": ["flip", "randaugment 2 10", "cutout 3"],
}
NAMES = [name for name in catalog.names() if name != "generative_replay_classifier"]
CASES = {name: (name, LEARNER.get(name, {}), MORE.get(name, {})) for name in NAMES} | {
    "few labels": ("jdcl", {"learner": "joint", "stream": BASE["stream"] | {"labels": 4}, "augmentation": VIEWS}, {}),
    "randaugment": (
        "finetune",
        CLASSIFIER | {"augmentation": {"logits": ["randaugment 3 10", "resized_crop 0.5"]}},
        {},
    ),
    "dreamt anew": ("jdcl", LEARNER["jdcl"], {"refresh": 2}),
}


class Waiting(TorchDispatchMode):
    """Raises where a host would wait for its device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.__name__.split(".")[0]
        at = args[1] if name in ("index", "index_put_", "_index_put_impl_") else ()
        if (
            name in WAITING
            and not is_on_the_host()
            or any(rows is not None and rows.dtype == torch.bool for rows in at)
        ):
            raise AssertionError(f"a step waits for {function}")
        return function(*args, **(kwargs or {}))


def is_on_the_host() -> bool:
    """Whether RandAugment itself asks, which draws on the host which rows an operation changes; an operation may not."""
    frame = sys._getframe(2)  # whoever called what is dispatched
    while "/torch/" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame.f_code is randaugment.apply_operations.__code__


class Watched:
    """What comes after each step: between a phase's first step and its last, nothing may wait.

    Where a pool is dreamt anew between two steps, the host asks which dreams it is to keep.
    """

    def __init__(self, progress) -> None:
        self.progress, self.steps, self.filled, self.stack = progress, 0, 0, ExitStack()

    def begin_dreams(self, pool) -> None:
        self.stack.close()
        self.filled += 1

    def end_dreams(self, pool) -> None:
        if 1 <= self.progress.step < self.progress.steps - 1:
            self.stack.enter_context(Waiting())

    def __call__(self, pictures: int) -> None:
        self.stack.close()
        if 1 <= self.progress.step < self.progress.steps - 1:
            self.stack.enter_context(Waiting())
            self.steps += 1


@pytest.mark.parametrize("case", CASES)
def test_no_step_waits_for_the_device(case):
    strategy, sections, more = CASES[case]
    short = {"teacher_steps": 2, "guided_steps": 2, "per_class": 4, "memory_size": 8, "selection": "random"}
    own = {option.name for option in catalog.look_up(strategy).options}
    own -= {"memory_size"} if "per_class" in own else set()  # a memory has one size
    options = {name: value for name, value in short.items() if name in own} | more
    tables = tiny(**BASE | sections)
    assembly = assemble(resolve(tables, strategy, options))
    plan, progress = assembly.plan, assembly.progress
    first = open_task(plan, progress, assembly.stream.tasks[0])
    greet(progress.learners, first.classes)
    turn_page(plan, first, progress, progress.past.remembering(first))
    watched = Watched(progress)
    with watched.stack:
        run = Mock(after_step=watched, begin_dreams=watched.begin_dreams, end_dreams=watched.end_dreams)
        learn(plan, open_task(plan, progress, assembly.stream.tasks[1]), progress, run)
    assert watched.steps >= STEPS - 2
    assert watched.filled == {"dreamt anew": 6}.get(case, watched.filled), "two pools, each at steps 0, 2 and 4"


def test_it_would_be_noticed():
    x = torch.arange(4.0)
    for waits in (lambda: x.max().item(), lambda: x[x > 1], lambda: x.nonzero(), lambda: x.unique()):
        with pytest.raises(AssertionError, match="a step waits for"), Waiting():
            waits()


def test_an_operation_of_randaugment_that_asks_would_be_noticed(monkeypatch):
    """And the choice of rows, which is made on the host, is not."""
    chances = [torch.full((4,), chance) for chance in (0.99, 0.0, 0.5, 0.5)]
    with Waiting():
        randaugment.apply_operations(torch.zeros(4, 1, 8, 8), *chances, most=10)
    asking = (lambda x, level: x * (x > 0.7).nonzero().numel(), False)
    monkeypatch.setattr(randaugment, "OPERATIONS", [*randaugment.OPERATIONS[:-1], asking])
    with pytest.raises(AssertionError, match="a step waits for aten.nonzero"), Waiting():
        randaugment.apply_operations(torch.zeros(4, 1, 8, 8), *chances, most=10)
