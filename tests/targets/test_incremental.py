"""iCaRL's and LUCIR's targets, against numbers by hand."""

from math import sqrt

import pytest
import torch
from torch.nn import functional

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.models.classifier import build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.sources import Data, Featured
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import Margin, Sigmoids, Soft, TaughtFeatures

NAMES = tuple("abcd")


def classifier(*groups):
    """A growing classifier that has met these groups of classes."""
    learner = build_classifier(ClassifierOptions(head="growing"), (1, 8, 8), NAMES, 0).eval().requires_grad_(False)
    for group in groups:
        learner.meet(group)
    return learner


def question(labels, **more):
    return Images(torch.randn(len(labels), 1, 8, 8), torch.tensor(labels), **more)


def test_the_margin_by_hand():
    """Three pictures, of which two are of old classes; of three new classes the two nearest count."""
    cosines = torch.tensor([[0.9, 0.1, 0.2, 0.7, 0.5], [0.3, 0.2, 0.9, -0.9, 0.8], [0.9, 0.9, 0.9, 0.9, 0.9]])
    asked = question([0, 1, 2])
    target = Margin(old=(0, 1), new=(2, 3, 4), count=2, margin=0.5)
    losses = target.distance(cosines, target.answer(asked), asked)
    first = (max(0, 0.5 - 0.9 + 0.7) + max(0, 0.5 - 0.9 + 0.5)) / 2
    second = (max(0, 0.5 - 0.2 + 0.9) + max(0, 0.5 - 0.2 + 0.8)) / 2
    assert losses.mean().item() == pytest.approx((first + second) / 2)
    assert losses[2] == 0


def test_the_margin_with_one_new_class_and_without_old_pictures():
    asked = question([1, 1])
    target = Margin(old=(0,), new=(1,), count=2)
    assert torch.equal(target.distance(torch.randn(2, 2), asked.y, asked), torch.zeros(2))
    old = question([0])
    assert target.distance(torch.tensor([[0.2, 0.1]]), old.y, old).item() == pytest.approx(0.4)
    assert not Margin(old=(), new=(1,)).exists and not Margin(old=(1,), new=()).exists
    with pytest.raises(RequestError, match="held to 0 new classes"):
        Margin((0,), (1,), count=0)


def test_the_margin_is_a_mean_over_the_old_pictures_of_all_processes():
    labels, cosines = torch.tensor([0, 1, 2, 2, 2, 0]), torch.rand(6, 4)
    target = Margin(old=(0, 1), new=(2, 3))
    whole = Images(torch.zeros(6, 1), labels)
    parts = [Images(torch.zeros(3, 1), labels[rows], total=6, everyone=labels) for rows in (slice(3), slice(3, 6))]
    expected = target.distance(cosines, labels, whole).sum()
    found = sum(target.distance(c, p.y, p).sum() for c, p in zip(cosines.split(3), parts, strict=True))
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_less_forget_is_about_directions_alone():
    target = TaughtFeatures(None, direction=True)
    said, wanted = torch.tensor([[3.0, 0.0], [1.0, 1.0], [-2.0, 0.0]]), torch.tensor([[1.0, 0.0]] * 3)
    assert torch.allclose(target.distance(said, wanted, None), torch.tensor([0.0, 1 - sqrt(0.5), 2.0]), atol=1e-6)


def test_sigmoids_by_hand():
    """An old class's wanted answer is the teacher's, also for a picture of that class; a new one's follows from the label."""
    teacher, asked = classifier((0, 1)), question([0, 2])
    target = Sigmoids(teacher, (0, 1))
    said = torch.tensor([[0.3, -0.2, 1.0, -torch.inf], [0.1, 0.4, -1.0, -torch.inf]], requires_grad=True)
    wanted = target.answer(asked)
    q = teacher.logits(asked.x)[:, :2].sigmoid()
    assert torch.equal(wanted, q)
    losses = target.distance(said, wanted, asked)
    truth = torch.cat([q, torch.tensor([[0.0], [1.0]])], dim=1)
    expected = functional.binary_cross_entropy(said[:, :3].sigmoid(), truth, reduction="none").mean(1)
    assert torch.allclose(losses, expected, atol=1e-6)
    losses.sum().backward()
    assert said.grad.isfinite().all()
    alone = Sigmoids(None)
    losses = alone.distance(said, alone.answer(asked), asked)
    plain = functional.binary_cross_entropy_with_logits(said[:, :3], torch.eye(4)[[0, 2], :3], reduction="none").mean(1)
    assert torch.allclose(losses, plain, atol=1e-6)


def test_sigmoids_of_a_fixed_head_are_a_mean_over_all_outputs_as_published():
    """Four outputs from the start. The teacher knows two classes; a third is present; the fourth, still to come, is wanted to be 0."""
    options = ClassifierOptions(head="fixed")
    teacher, student = (build_classifier(options, (1, 8, 8), NAMES, seed).eval() for seed in (0, 1))
    asked, target = question([0, 2]), Sigmoids(teacher, (0, 1))
    said = student.logits(asked.x)
    losses = target.distance(said, target.answer(asked), asked)
    truth = functional.one_hot(asked.y, 4).float()
    truth[:, :2] = teacher.logits(asked.x)[:, :2].sigmoid()
    expected = functional.binary_cross_entropy(said.sigmoid(), truth, reduction="none").mean(1)
    assert torch.allclose(losses, expected, atol=1e-6)


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_opinions_of_heads_that_have_not_grown_are_numbers(within, reverse):
    teacher, student, asked = classifier((0, 1)), classifier((0, 1), (2,)), question([0, 1, 2])
    for classes in ((), (0, 1)):
        target = Soft(teacher, 2.0, reverse, classes, within)
        said = student.logits(asked.x).requires_grad_()
        loss = target.distance(said, target.answer(asked), asked).sum()
        loss.backward()
        assert loss.isfinite() and said.grad.isfinite().all()


def test_a_student_that_is_its_teacher_has_nothing_to_learn_from_it():
    teacher, asked = classifier((0, 1)), question([0, 1])
    target = Soft(teacher, 2.0, classes=(0, 1), within=True)
    said = teacher.logits(asked.x).requires_grad_()
    loss = target.distance(said, target.answer(asked), asked).sum()
    loss.backward()
    assert loss.abs() < 1e-6 and said.grad.abs().max() < 1e-6


@pytest.mark.parametrize("world", [2, 3])
def test_the_margin_of_a_head_over_frozen_features_is_of_all_processes_too(world):
    """LUCIR's balanced phase: the sum over the rows of all processes is what one process has."""
    pictures = Pictures(torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1).expand(8, 1, 8, 8) * 30, torch.arange(8) % 4)
    source = Featured(Data(pictures), classifier((0, 1), (2, 3)))
    target = Margin(old=(0, 1), new=(2, 3), count=1, head="judged_cosines")

    def summed(*batches):
        return sum(target.distance(each.x[:, :4].tanh(), each.y, each).sum() for each in map(source.draw, batches))

    whole = summed(Batch(8, 0, (0, 2, "balance", 0)))
    parts = summed(*(Batch(8, 0, (0, 2, "balance", 0), rank=rank, world=world) for rank in range(world)))
    assert whole > 0
    torch.testing.assert_close(parts, whole)
