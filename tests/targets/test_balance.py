"""Targets of PODNet, FOSTER and dynamically expandable representation, against numbers by hand."""

from math import exp, log

import pytest
import torch
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.models.classifier import build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.targets import Balance, Label, NeighbourhoodComponents, Once, OwnLabel, Soft, TaughtStages

DEVICE = torch.device("cpu")


def classifier(classes=(0, 1, 2), **form):
    options = ClassifierOptions(network="resnet8", head="growing")
    learner = build_classifier(options, (1, 8, 8), tuple("abcd"), 0, **form).eval().requires_grad_(False)
    learner.meet(classes)
    return learner


def question(labels, **more):
    return Images(torch.randn(len(labels), 1, 8, 8), torch.tensor(labels), **more)


def test_the_loss_of_podnet_by_hand():
    """The own class counts as the likeliest one does; the fourth class has not arrived."""
    said = torch.tensor([[1.6, 1.0, -0.4, -torch.inf], [1.6, 2.0, -0.4, -torch.inf]], requires_grad=True)
    asked = question([0, 0])
    found = NeighbourhoodComponents().distance(said, asked.y, asked)
    right = -log(exp(1.6) / (exp(1.6) + exp(1.0) + exp(-0.4)))
    wrong = 2.0 - 1.6 + log(1 + exp(0.0) + exp(-2.4))
    assert found.tolist() == pytest.approx([right, wrong])
    found.sum().backward()
    assert said.grad.isfinite().all()


def test_the_loss_of_podnet_is_cross_entropy_where_the_class_is_right_and_more_where_it_is_not():
    said, asked = torch.randn(200, 6, generator=torch.Generator().manual_seed(0)), question([2] * 200)
    found = NeighbourhoodComponents().distance(said, asked.y, asked)
    usual = functional.cross_entropy(said, asked.y, reduction="none")
    right = said.argmax(1) == 2
    assert 0 < right.sum() < 200 and torch.allclose(found[right], usual[right], atol=1e-6)
    assert (found[~right] > usual[~right]).all()


def test_a_scale_of_right_answers_grows_no_further():
    """The margin, which would make it grow for ever, cancels."""
    scale, asked = torch.tensor(30.0, requires_grad=True), question([0])
    NeighbourhoodComponents().distance(scale * torch.tensor([[0.8, 0.2, 0.1]]), asked.y, asked).sum().backward()
    assert abs(scale.grad.item()) < 1e-6


def test_where_stages_saw_something_by_hand():
    said = torch.tensor([[[1.0, 0.0], [0.6, 0.8]]], requires_grad=True)
    wanted = torch.tensor([[[0.0, 1.0], [0.6, 0.8]]])
    target = TaughtStages(None)
    found = target.distance(said, wanted, None)
    assert found.item() == pytest.approx(2**0.5 / 2) and not target.exists
    found.sum().backward()
    assert said.grad.isfinite().all(), "also where nothing differs"


def test_a_teacher_of_two_targets_is_asked_once():
    teacher, asked = classifier(cosine=True), question([0, 1])
    once = Once(teacher)
    stages, features = once.look(asked.x)[1], once.features(asked.x)
    assert teacher.passes == 2
    assert torch.equal(stages, TaughtStages(once).answer(asked)) and torch.equal(features, teacher.features(asked.x))
    once.features(question([0]).x)
    assert teacher.passes == 5


def test_effective_numbers_by_hand():
    """β = 0.5: 1 picture weighs 1, 2 weigh 1/1.5, 3 weigh 1/1.75 (times 0.5 each), and their mean becomes 1."""
    balance = Balance(((0, 1), (1, 2), (3, 3)), 0.5)
    plain = {0: 1.0, 1: 0.5 / 0.75, 3: 0.5 / 0.875}
    mean = sum(plain.values()) / 3
    assert balance.weights == pytest.approx({number: weight / mean for number, weight in plain.items()})
    assert balance.over(4, DEVICE).tolist() == pytest.approx([1 / mean, plain[1] / mean, 1.0, plain[3] / mean])
    assert Balance(((0, 1), (1, 500)), 0.0).weights == {0: 1.0, 1: 1.0}
    assert balance.with_more({1: 5, 2: 4}).counts == ((0, 1), (1, 7), (2, 4), (3, 3))
    with pytest.raises(RequestError, match="goes from 0 to less than 1"):
        Balance((), 1.0)


def test_a_balanced_label_divides_logits_by_weights():
    balance, asked = Balance(((0, 20), (1, 500)), 0.97), question([0, 1])
    said = torch.tensor([[1.0, 2.0, -torch.inf], [0.5, 0.1, -torch.inf]], requires_grad=True)
    losses = Label(balance=balance).distance(said, asked.y, asked)
    w = balance.weights
    z = [[1.0 / w[0], 2.0 / w[1]], [0.5 / w[0], 0.1 / w[1]]]
    expected = [log(sum(map(exp, row))) - row[label] for row, label in zip(z, (0, 1), strict=True)]
    assert losses.tolist() == pytest.approx(expected)
    losses.sum().backward()
    assert said.grad.isfinite().all()


def test_soft_targets_are_weighed_and_sum_to_one_again():
    teacher, asked = classifier(), question([0, 2])
    balance = Balance(((0, 20), (1, 20), (2, 100)), 0.97)
    wanted = Soft(teacher, 2.0, balance=balance).answer(asked)
    p = (teacher.logits(asked.x) / 2).softmax(1) * balance.over(4, DEVICE)
    expected = p / p.sum(1, keepdim=True)
    assert torch.allclose(wanted.exp()[:, :3], expected[:, :3]) and wanted.exp()[:, 3].max() < 1e-6
    said = torch.randn(2, 4).masked_fill(torch.tensor([False, False, False, True]), -torch.inf)
    losses = Soft(teacher, 2.0, balance=balance).distance(said, wanted, asked) / 4
    q = (said[:, :3] / 2).log_softmax(1)
    by_hand = (expected[:, :3] * (expected[:, :3].log() - q)).sum(1)
    assert torch.allclose(losses, by_hand, atol=1e-5)


def test_old_classes_are_one_class_to_the_newest_backbone():
    """Of classes 0 to 3, 2 and 3 are new; the fifth logit is that of the rest."""
    said, asked = torch.randn(3, 5), question([0, 3, 2])
    losses = OwnLabel((2, 3), rest=True).distance(said, asked.y, asked)
    expected = functional.cross_entropy(said[:, [2, 3, 4]], torch.tensor([2, 1, 0]), reduction="none")
    assert torch.allclose(losses, expected) and asked.y.tolist() == [0, 3, 2]
    alike = OwnLabel((0, 2, 3)).distance(said, asked.y, asked)
    expected = functional.cross_entropy(said[:, [0, 2, 3]], torch.tensor([0, 2, 1]), reduction="none")
    assert torch.allclose(alike, expected)
    assert not OwnLabel(()).exists


def test_a_warm_label_by_hand():
    said, asked = torch.tensor([[5.0, 0.0]]), question([0])
    assert Label(head="judged", temperature=5.0).distance(said, asked.y, asked).item() == pytest.approx(
        log(1 + exp(-1))
    )
    with pytest.raises(RequestError, match="temperature of labels"):
        Label(temperature=0.0)
