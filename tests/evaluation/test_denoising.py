"""Where, in noise levels, a model has moved away from another one."""

import pytest
import torch

from palimpsest.evaluation.denoising import denoising_error, predictions, spread_levels
from tests.tiny import SHAPE, tiny_denoiser

X = torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def test_levels_go_from_nearly_clean_to_nearly_noise():
    assert spread_levels(1000) == [0, 111, 222, 333, 444, 555, 666, 777, 888, 999]
    assert spread_levels(3) == [0, 1, 2]


def test_a_model_has_not_moved_away_from_itself_and_has_from_another():
    one, other = tiny_denoiser(1), tiny_denoiser(2)
    said = predictions(one, X, None, (0, "a"))
    assert denoising_error(predictions(one, X, None, (0, "a")), said) == [0.0] * 10
    assert all(error > 0 for error in denoising_error(predictions(other, X, None, (0, "a")), said))


def test_the_error_is_the_mean_square_at_each_level():
    first = torch.zeros(2, 3, *SHAPE)
    present = torch.stack([torch.full((3, *SHAPE), 2.0), torch.full((3, *SHAPE), -1.0)])
    assert denoising_error(present, first) == [4.0, 1.0]


def test_both_are_asked_about_pictures_noised_by_the_address(monkeypatch):
    """By a reference: x_t = √ᾱ x + √(1 − ᾱ) ε with one ε a level, the same for one address."""
    denoiser, seen = tiny_denoiser(), []
    monkeypatch.setattr(denoiser, "noise", lambda x_t, t, y: seen.append((x_t, t)) or x_t)
    predictions(denoiser, X, None, (0, "a"))
    predictions(denoiser, X, None, (0, "a"))
    for (x_t, t), (again, _) in zip(seen[:10], seen[10:], strict=True):
        assert torch.equal(x_t, again)
        signal, noise = denoiser.process.levels(t)
        epsilon = (x_t - signal * X) / noise
        assert epsilon.mean().item() == pytest.approx(0, abs=0.25) and epsilon.std().item() == pytest.approx(1, abs=0.2)
