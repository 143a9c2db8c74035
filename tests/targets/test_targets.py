"""What the student should say, against closed forms."""

import math

import pytest
import torch
from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.targets import Confident, Soft, TaughtNoise, label, true_noise
from tests.tiny import SHAPE, tiny_denoiser


def test_the_noise_loss_is_one_mean_squared_error_a_sample():
    said, wanted = torch.zeros(3, *SHAPE), torch.ones(3, *SHAPE) * torch.tensor([1.0, 2.0, 3.0])[:, None, None, None]
    question = Noised(torch.zeros(3, *SHAPE), torch.tensor([0, 1, 2]), noise=wanted)
    assert torch.equal(true_noise.answer(question), wanted)
    assert true_noise.distance(said, wanted, question).tolist() == [1.0, 4.0, 9.0]


def test_a_weight_multiplies_each_samples_error():
    question = Noised(torch.zeros(2, *SHAPE), torch.tensor([0, 1]), weight=torch.tensor([2.0, 0.5]))
    said = torch.ones(2, *SHAPE)
    assert TaughtNoise(None).distance(said, torch.zeros_like(said), question).tolist() == [2.0, 0.5]


def test_the_teachers_answer_is_its_prediction():
    teacher = tiny_denoiser()
    question = Noised(torch.randn(2, *SHAPE), torch.tensor([5, 50]))
    assert torch.equal(TaughtNoise(teacher).answer(question), teacher.noise(question.x_t, question.t))
    assert not TaughtNoise(None).exists and TaughtNoise(teacher).exists


class Fixed(nn.Module):
    """A classifier with an opinion."""

    def forward(self, questions):
        return {"logits": torch.tensor([[2.0, 0.0], [0.0, 0.0]])}


def test_labels_by_hand():
    question = Images(torch.zeros(2, *SHAPE), torch.tensor([0, 1]))
    said = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    expected = [-(2 - torch.logsumexp(torch.tensor([2.0, 0.0]), 0)).item(), torch.log(torch.tensor(2.0)).item()]
    assert label.distance(said, label.answer(question), question).tolist() == pytest.approx(expected)


def test_soft_labels_by_hand():
    """T² Σ p ln(p/q) with p = softmax(z/T), q = softmax(s/T), T = 2."""
    question, target = Images(torch.zeros(2, *SHAPE)), Soft(Fixed(), temperature=2.0)
    wanted = target.answer(question)
    assert wanted[0].exp().tolist() == pytest.approx([0.7310586, 0.2689414])  # the logistic function of 1
    said = torch.tensor([[0.0, 0.0], [2.0, 0.0]], requires_grad=True)
    losses = target.distance(said, wanted, question)
    entropy = 4 * (0.7310586 * 0.3132617 + 0.2689414 * 1.3132617)
    assert losses[0].item() == pytest.approx(4 * 0.6931472 - entropy, abs=1e-6)
    assert losses[1].item() == pytest.approx(-4 * 0.5 * (-0.3132617 - 1.3132617) - 4 * 0.6931472, abs=1e-6)


def test_reversed_soft_labels_by_hand():
    """−T² Σ softmax(s/T) ln softmax(z/T): the student's opinion weighs, and the gradient flows through the weights."""
    question, target = Images(torch.zeros(2, *SHAPE)), Soft(Fixed(), temperature=2.0, reverse=True)
    said = torch.tensor([[0.0, 0.0], [2.0, 0.0]], requires_grad=True)
    losses = target.distance(said, target.answer(question), question)
    assert losses[0].item() == pytest.approx(-4 * 0.5 * (-0.3132617 - 1.3132617))
    assert losses[1].item() == pytest.approx(4 * 0.6931472)
    losses[0].backward()
    assert said.grad[0, 0] < 0 < said.grad[0, 1], "it pulls towards the teacher's likelier class"


def test_soft_labels_have_no_gradient_where_student_and_teacher_agree():
    question, target = Images(torch.zeros(2, *SHAPE)), Soft(Fixed())
    said = torch.tensor([[2.0, 0.0], [0.0, 0.0]], requires_grad=True)
    losses = target.distance(said, target.answer(question), question)
    losses.sum().backward()
    assert losses.abs().max() < 1e-6 and said.grad.abs().max() < 1e-6


class Sure(nn.Module):
    """Sure of class 1 where the first pixel is bright. It drops everything out while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.passes, self.drop = 30, nn.Dropout(1.0)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 3
        return self.drop(torch.stack([torch.zeros(len(x)), 10 * x[:, 0, 0, 0]], 1))


def test_a_learner_is_taught_what_it_is_sure_of_in_a_weaker_view():
    """1(max p ≥ τ) CE(argmax p, f): by hand, with p of the weak view, and no dropout in it."""
    learner = Sure().train()
    target = Confident(learner, 0.95)
    weak = torch.tensor([1.0, -1.0, 0.0])[:, None, None, None]
    question = Images(torch.zeros(3, 1, 1, 1), views={"weak": weak})
    wanted = target.answer(question)
    assert wanted.tolist() == [1, 0, -100] and learner.training
    assert learner.passes == 31, "a forward without its way back"
    said = torch.tensor([[0.0, 2.0], [0.0, 2.0], [0.0, 2.0]])
    losses = target.distance(said, wanted, question)
    expected = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(2)), 0.0]
    assert losses.tolist() == pytest.approx(expected)
    with pytest.raises(RequestError, match="the threshold of confidence is 2"):
        Confident(learner, 2.0)
