"""How long phases are, and phases that share one descent."""

import json

import pytest
import torch

import palimpsest
from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.random import seed_of
from palimpsest.core.term import Phase, Term
from palimpsest.learning.devices import Machine
from palimpsest.learning.options import TrainingOptions
from palimpsest.learning.work import Descent, Work, seed_network
from palimpsest.strategies import strategy
from palimpsest.targets import true_noise
from tests.tiny import QUIET, interrupted_after, same, tiny, tiny_denoiser, weights

CPU = Machine(torch.device("cpu"))


def descent(options: TrainingOptions, pictures: int = 0, **phase) -> Descent:
    return Descent.of(Phase("denoiser", **phase), options, pictures)


def test_how_long_a_descent_is():
    assert descent(TrainingOptions(steps=7, batch=4), 10).steps == 7
    # Fashion-MNIST, reference section 4
    assert descent(TrainingOptions(epochs=100, batch=128), 12_000).steps == 9_400
    assert descent(TrainingOptions(epochs=100, batch=128), 12_000, steps=5).steps == 5


def test_phases_may_share_a_descent():
    options = TrainingOptions(steps=100)
    first, second = (descent(options, steps=10, span=span) for span in ((0, 1 / 3), (1 / 3, 1)))
    assert (first.first, first.last, first.total) == (0, 3, 10)
    assert (second.first, second.last, second.steps) == (3, 10, 7)
    with pytest.raises(RequestError, match="from 0.5 to 0.5, and such a part lies between 0 and 1"):
        Phase("denoiser", span=(0.5, 0.5))


@strategy(keeps=(), learners=("denoiser",))
def in_two(now, past):
    """The same terms in two phases of one descent."""
    terms = [Term(now.data, true_noise)]
    yield Phase("denoiser", terms, span=(0, 0.4))
    yield Phase("denoiser", terms, span=(0.4, 1))


def test_a_phase_that_goes_on_keeps_optimizer_rate_and_average(tmp_path):
    """Two phases of one descent, interrupted in either, end with the weights of the uninterrupted ones."""
    tables = tiny(
        training={"steps": 10, "schedule": "cosine", "average": 0.9}, stream={"name": "digits", "tasks": [[0, 1]]}
    )
    whole = palimpsest.train(tables, strategy=in_two, out=tmp_path / "whole", display=QUIET)
    rates = [event["step"] for event in events(whole.path) if event["event"] == "step" and event["phase"] == 1]
    assert rates[-1] == 6
    for steps in (3, 4, 7):
        with interrupted_after(steps):
            palimpsest.train(tables, strategy=in_two, out=tmp_path / f"run{steps}", display=QUIET)
        run = palimpsest.resume(tmp_path / f"run{steps}", strategy=in_two, display=QUIET)
        assert weights(run.path / "models" / "task_1") == weights(whole.path / "models" / "task_1")
    tables["training"]["keep_optimizer_state"] = True  # changes nothing: there is one task
    again = palimpsest.train(tables, strategy=in_two, out=tmp_path / "again", display=QUIET)
    assert weights(again.path / "models" / "task_1") == weights(whole.path / "models" / "task_1")


@strategy(keeps=(), learners=("denoiser",))
def out_of_nothing(now, past):
    """A phase that goes on with nothing."""
    return Phase("denoiser", [Term(now.data, true_noise)], span=(0.4, 1))


def test_a_phase_cannot_go_on_with_nothing(tmp_path):
    with pytest.raises(RequestError, match="goes on with a descent at 0.4, and no phase before it has begun one"):
        palimpsest.train(tiny(), strategy=out_of_nothing, out=tmp_path / "run", display=QUIET)


def test_what_goes_on_is_the_optimizer():
    """Two works of one descent take the steps of one whole work."""
    options, batch = TrainingOptions(steps=6, schedule="cosine", average=0.5), torch.ones(2, 1, 8, 8)

    def descend(phases: list[tuple[float, float]]) -> list:
        learner, state = tiny_denoiser(), {}
        for span in phases:
            work = Work(learner, Phase("denoiser", span=span), descent(options, span=span), CPU)
            work.load(state) if state else None
            for step in range(work.descent.steps):
                work.descend(learner.noise(batch, 50).square().mean(), step)
            state = work.state()
        return [learner, work.averaged()]

    for one, other in zip(descend([(0, 1)]), descend([(0, 0.5), (0.5, 1)]), strict=True):
        assert same(one, other)


def events(run) -> list[dict]:
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def test_dropout_is_seeded_by_the_address_without_a_look_at_devices_that_are_not_there(monkeypatch):
    def masks() -> torch.Tensor:
        return torch.nn.functional.dropout(torch.ones(64))

    torch.manual_seed(seed_of(3, 1, "train 0", 17, "network", 0))
    wanted = masks()
    monkeypatch.setattr("traceback.format_stack", lambda *_: pytest.fail("a step wrote down its call stack"))
    seed_network(Batch(4, 0, (3, 1, "train 0", 17)))
    assert torch.equal(masks(), wanted)
    seed_network(Batch(4, 0, (3, 1, "train 0", 18)))
    assert not torch.equal(masks(), wanted)
