"""Soft nearest neighbours, by hand."""

import math

import pytest
import torch

from palimpsest.core.images import Images
from palimpsest.targets import Neighbours, TaughtNeighbours
from palimpsest.targets.neighbours import sharpened, smoothed, soft_neighbours

SUPPORT = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
LABELS = torch.eye(2)


def test_probabilities_are_those_of_cosines():
    """A query on the first axis: cos 1 and 0. One between both: cos 1/√2 with each."""
    p = soft_neighbours(torch.tensor([[5.0, 0.0], [1.0, 1.0]]), SUPPORT, LABELS, 0.5)
    first = math.exp(2) / (math.exp(2) + 1)
    assert p.tolist() == [pytest.approx([first, 1 - first]), pytest.approx([0.5, 0.5])]


def test_labels_are_smoothed_over_the_classes_of_the_support():
    assert smoothed(torch.tensor([7, 3]), (3, 7), 0.1).tolist() == [
        pytest.approx([0.05, 0.95]),
        pytest.approx([0.95, 0.05]),
    ]


def test_sharpening_by_a_quarter_is_the_fourth_power():
    p = sharpened(torch.tensor([[0.8, 0.2]]), 0.25)
    assert p[0, 0].item() == pytest.approx(0.8**4 / (0.8**4 + 0.2**4))


def question(features: torch.Tensor) -> tuple[torch.Tensor, Images]:
    """One picture in two views, and the support."""
    said = torch.cat([features, SUPPORT])
    return said, Images(torch.zeros(len(said), 1, 1, 1), torch.tensor([3, 7]), total=1)


def test_the_loss_of_two_views_by_hand():
    said, asked = question(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    target = Neighbours((3, 7), temperature=0.5, sharpening=0.25, me_max=1.0, smoothing=0.0)
    (loss,) = target.distance(said, target.answer(asked), asked)
    a = math.exp(2) / (math.exp(2) + 1)
    sharp = a**4 / (a**4 + (1 - a) ** 4)
    crossed = -(0.5 * math.log(a) + 0.5 * math.log(1 - a)), -math.log(0.5)
    mean = (sharp + 0.5) / 2
    entropy = -(mean * math.log(mean) + (1 - mean) * math.log(1 - mean))
    assert loss.item() == pytest.approx(sum(crossed) / 2 - entropy, rel=1e-5)


class Turned:
    """A teacher that sees the two features the other way round."""

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.seen.flip(1)


def test_the_teachers_neighbours_are_learnt():
    """Turned features have the same cosines, so the loss is the least that it can be, the entropy of p, with gradient 0."""
    said, asked = question(torch.tensor([[1.0, 0.3], [0.2, 1.0]]))
    said.requires_grad_()
    teacher = Turned()
    teacher.seen = said.detach()
    target = TaughtNeighbours(teacher, (3, 7), smoothing=0.0)
    (loss,) = target.distance(said, target.answer(asked), asked)
    p = soft_neighbours(said.detach()[:2], SUPPORT, LABELS, 0.1)
    assert loss.item() == pytest.approx(-(p * p.log()).sum(1).mean().item(), abs=1e-4)
    loss.backward()
    assert said.grad.abs().max() < 1e-5
    assert not TaughtNeighbours(None, (3,)).exists
