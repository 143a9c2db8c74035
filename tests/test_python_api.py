"""The Python API reads like the command line."""

from dataclasses import dataclass

import pytest
import torch

import palimpsest
from tests.tiny import QUIET, interrupted_after, tiny, weights


@dataclass
class Theirs:
    """A task of somebody else's stream: any object with classes, train and test."""

    classes: tuple[int, ...]
    train: list
    test: list


def their_stream() -> list[Theirs]:
    generator = torch.Generator().manual_seed(0)

    def pairs(classes):
        return [(torch.rand(1, 8, 8, generator=generator), label) for label in classes for _ in range(12)]

    return [Theirs((0, 1), pairs((0, 1)), pairs((0, 1))), Theirs((2, 3), pairs((2, 3)), pairs((2, 3)))]


def test_a_third_partys_stream_is_learnt_and_resumed(tmp_path):
    whole = palimpsest.train(tiny(), stream=their_stream(), out=tmp_path / "whole", display=QUIET)
    assert whole.results["stream"] == "python" and len(whole.results["tasks"]) == 2
    with interrupted_after(6):
        palimpsest.train(tiny(), stream=their_stream(), out=tmp_path / "run", display=QUIET)
    with pytest.raises(palimpsest.RequestError, match="was passed in from Python.*stream="):
        palimpsest.resume(tmp_path / "run", display=QUIET)
    palimpsest.resume(tmp_path / "run", stream=their_stream(), display=QUIET)
    assert weights(tmp_path / "run" / "models" / "task_2") == weights(whole.path / "models" / "task_2")


def test_a_strategy_of_ones_own(tmp_path):
    """The example of docs/strategies.md."""

    @palimpsest.strategy(keeps={"teacher"})
    def dreams_and_noise(now, past, *, strength: float = 1.0):
        """Distil the previous model on its dreams and on pure noise."""
        half = strength * now.old / 2
        return palimpsest.Phase(
            "denoiser",
            [
                palimpsest.Term(now.data, now.truth, now.new),
                palimpsest.Term(past.dreams(steps=2), past.denoiser.noise, half),
                palimpsest.Term(now.gaussian, past.denoiser.noise, half),
            ],
        )

    run = palimpsest.train(tiny(), strategy=dreams_and_noise, strength=0.5, out=tmp_path / "run", display=QUIET)
    assert run.results["strategy"] == "dreams_and_noise" and run.results["options"] == {"strength": 0.5}
    assert run.results["allowed_to_remember"] == ["teacher"]
    with pytest.raises(palimpsest.RequestError, match='unknown option of strategy dreams_and_noise "strenth"'):
        palimpsest.train(tiny(), strategy=dreams_and_noise, strenth=0.5, out=tmp_path / "other", display=QUIET)
    with pytest.raises(palimpsest.RequestError, match="is not declared as a strategy"):
        palimpsest.train(tiny(), strategy=lambda now, past: None, out=tmp_path / "other", display=QUIET)


def test_settings_sources_and_samples_from_python(tmp_path):
    from palimpsest.sources import Dreams, Gaussian, Halfway, Memory  # noqa: F401
    from palimpsest.strategies.generative_distillation import generative_distillation

    run = palimpsest.train(
        tiny(),
        strategy=generative_distillation,
        seed=4,
        set={"training.steps": 2},
        out=tmp_path / "run",
        teacher_steps=3,
        display=QUIET,
    )
    assert run.results["seed"] == 4 and run.results["options"]["teacher_steps"] == 3
    pictures = palimpsest.sample(run.path, count=3, steps=2)
    assert pictures.shape == (3, 1, 8, 8) and pictures.abs().max() <= 1
    assert torch.equal(pictures, palimpsest.sample(run.path, count=3, steps=2))


def test_estimate_counts_passes_as_training_does(tmp_path):
    tables = tiny(training={"steps": 6}, evaluation={"samples": 0})
    for strategy in ("generative_distillation", "joint", "experience_replay"):
        expected = palimpsest.estimate(tables, strategy=strategy)
        cost = palimpsest.train(tables, strategy=strategy, out=tmp_path / strategy, display=QUIET).results["cost"]
        assert expected.student_passes == pytest.approx(cost["student_passes"])
        assert expected.teacher_passes == pytest.approx(cost["teacher_passes"])
        assert expected.steps == 12 and expected.flops > 0 and expected.training_seconds > 0
