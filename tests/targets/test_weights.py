"""Importance of weights: the Fisher information of a linear model, parabolas, and the penalty by hand."""

import pytest
import torch
from torch import nn

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.core.objective import objective
from palimpsest.core.term import Term
from palimpsest.learning.fisher import diagonal, rank_one
from palimpsest.sources import Data, nowhere
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import true_noise
from palimpsest.targets.weights import Diagonal, OldWeights, RankOne, importance_of
from tests.tiny import QUIET, SHAPE, conditional_denoiser, interrupted_after, tiny, weights


class Linear(nn.Module):
    """ŷ = w · x, whose loss on one picture is ½ (ŷ − y)²: its gradient is (ŷ − y) x."""

    head, heads, passes = "value", ("value",), 0

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.5, -1.0, 2.0, 0.0]))

    def forward(self, questions):
        return {"value": questions["value"].x.flatten(1) @ self.w}

    def pose(self, head, drawn, random):
        return drawn


class Half:
    """½ (ŷ − y)²."""

    name, head, needs, exists = "half", "value", frozenset(), True

    def answer(self, question: Images) -> torch.Tensor:
        return question.y.float()

    def distance(self, said, wanted, question):
        return (said - wanted).square() / 2


PIXELS = torch.tensor([[0, 255, 255, 0], [255, 0, 255, 255], [51, 102, 153, 204]], dtype=torch.uint8)
LABELS = torch.tensor([0, 1, 2])


def the_term(pixels: torch.Tensor = PIXELS) -> Term:
    return Term(Data(Pictures(pixels.view(3, 1, 2, 2), LABELS)), Half())


def by_hand(pixels: torch.Tensor = PIXELS) -> torch.Tensor:
    """The gradient of each picture, (3, 4)."""
    x = pixels.float() / 127.5 - 1
    return (x @ Linear().w.detach() - LABELS)[:, None] * x


def test_the_diagonal_fisher_information_of_a_linear_model():
    learner = Linear()
    found = diagonal(learner, the_term(), 3, (0, 1))
    torch.testing.assert_close(found.fisher["w"], by_hand().square().mean(0))
    assert found.penalty(dict(learner.named_parameters())) == 0
    moved = {"w": learner.w + torch.tensor([0.0, 1.0, 0.0, -2.0])}
    fisher = by_hand().square().mean(0)
    assert found.penalty(moved).item() == pytest.approx(0.5 * (fisher[1] + 4 * fisher[3]).item(), rel=1e-5)


def test_the_rank_one_fisher_information_of_a_linear_model():
    """½ c (μ · Δ)², c = E[(μ · g)²] / ‖μ‖⁴."""
    learner = Linear()
    found = rank_one(learner, the_term(), 3, (0, 1))
    g = by_hand()
    mean = g.mean(0)
    constant = (g @ mean).square().mean() / (mean @ mean) ** 2
    torch.testing.assert_close(found.mean["w"], mean)
    assert found.constant.item() == pytest.approx(constant.item(), rel=1e-5)
    step = torch.tensor([1.0, -1.0, 0.5, 2.0])
    expected = 0.5 * constant * (mean @ step) ** 2
    assert found.penalty({"w": learner.w + step}).item() == pytest.approx(expected.item(), rel=1e-4)


def test_where_all_gradients_are_parallel_rank_one_is_the_whole_fisher_information():
    """Of a picture and of its negative, gradients lie on one line: E[g gᵀ] is c μ μᵀ, and its diagonal that of the diagonal one."""
    picture = PIXELS[2]
    pixels = torch.stack([picture, 255 - picture, 255 - picture])
    learner, g = Linear(), by_hand(pixels)
    whole = g.T @ g / 3
    found = rank_one(learner, the_term(pixels), 3, (0, 1))
    mean = found.mean["w"]
    torch.testing.assert_close(found.constant * torch.outer(mean, mean), whole)
    torch.testing.assert_close(diagonal(learner, the_term(pixels), 3, (0, 1)).fisher["w"], whole.diagonal())
    step = torch.tensor([1.0, -1.0, 0.5, 2.0])
    assert found.penalty({"w": learner.w + step}).item() == pytest.approx(0.5 * (step @ whole @ step).item(), rel=1e-4)
    other = rank_one(learner, the_term(), 3, (0, 1))
    assert not torch.allclose(
        other.constant * torch.outer(other.mean["w"], other.mean["w"]), by_hand().T @ by_hand() / 3, rtol=0.1
    ), "which others are not"


def vector(*values: float) -> dict[str, torch.Tensor]:
    return {"w": torch.tensor(values)}


def test_the_sum_of_two_parabolas_is_a_parabola_and_a_constant():
    one = Diagonal(vector(1.0, 0.0, 2.0), vector(0.0, 1.0, 2.0), torch.tensor(0.0))
    other = Diagonal(vector(3.0, 0.0, 0.5), vector(4.0, -1.0, 2.0), torch.tensor(1.0))
    (both,) = one.and_of([other])
    for values in ((0.0, 0.0, 0.0), (1.0, 5.0, -2.0)):
        at = vector(*values)
        assert both.penalty(at).item() == pytest.approx((one.penalty(at) + other.penalty(at)).item())
    assert one.and_of([]) == (one,)


@pytest.mark.parametrize("kind", [Diagonal, RankOne])
def test_importance_is_written_down_and_read_again(kind):
    first = kind(vector(1.0, 2.0), vector(3.0, 4.0), torch.tensor(0.5))
    again = importance_of(kind.kind, first.state(), vector(0.0, 0.0))
    at = vector(0.3, -0.7)
    assert torch.equal(first.penalty(at), again.penalty(at))


def test_the_penalty_is_a_term_of_the_objective():
    """Beside data, by its weight, with a gradient of its own; it asks nothing."""
    learner = Linear()
    held = OldWeights((Diagonal(vector(2.0, 0.0, 0.0, 1.0), vector(0.0, 0.0, 0.0, 0.0), torch.tensor(0.0)),))
    from palimpsest.core.batch import Batch

    batch = Batch(3, 0, (0, 1, "train 0", 0))
    alone, _ = objective([the_term()], learner, batch)
    both, parts = objective([the_term(), Term(nowhere, held, 10.0)], learner, batch)
    assert parts["nowhere × old_weights"].item() == pytest.approx(0.5 * 2 * 0.25)
    assert (both - alone).item() == pytest.approx(10 * 0.25, rel=1e-5)
    first, second = (torch.autograd.grad(loss, learner.w)[0] for loss in (alone, both))
    torch.testing.assert_close(second - first, torch.tensor([10.0, 0.0, 0.0, 0.0]))
    assert not OldWeights(()).exists


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("ewc", "generative_distillation"),
        ("rank1_ewc", "trajectory_distillation"),
        ("rank1_ewc", "conditional_generative_distillation"),
    ],
)
def test_it_is_added_to_other_strategies_and_resumes(name, beside, tmp_path):
    tables = tiny(stream={"name": "digits", "tasks": [[0, 1], [2, 3], [4, 5]]})
    options = {"strategy": name, "beside": beside, "fisher_samples": 5, "strength": 50.0}
    whole = palimpsest.train(tables, out=tmp_path / "whole", display=QUIET, **options)
    with interrupted_after(10):
        palimpsest.train(tables, out=tmp_path / "run", display=QUIET, **options)
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    assert weights(run.path / "models" / "task_3") == weights(whole.path / "models" / "task_3")
    plain = palimpsest.train(tables, strategy=beside, out=tmp_path / "plain", display=QUIET)
    assert weights(plain.path / "models" / "task_1") == weights(whole.path / "models" / "task_1")
    assert weights(plain.path / "models" / "task_2") != weights(whole.path / "models" / "task_2")
    kind = "fisher" if name == "ewc" else "rank1_fisher"
    assert set(whole.results["allowed_to_remember"]) == {kind, "teacher"}


def test_the_importance_of_a_generator_that_is_told_of_classes_depends_on_them():
    """By hand: the gradient of its loss on a picture of a class reaches the embedding of that class alone."""
    learner = conditional_denoiser()
    pictures = Data(Pictures(torch.full((3, *SHAPE), 90, dtype=torch.uint8), torch.tensor([1, 1, 2])))
    found = diagonal(learner, Term(pictures, true_noise), 3, (0, 1))
    (of_class,) = (each for name, each in found.fisher.items() if name.endswith("class_embedding.weight"))
    assert (of_class.sum(1) > 0).tolist() == [False, True, True, False]


def test_what_it_cannot_be_added_to_is_refused(tmp_path):
    for beside in ("ewc", "jdcl", "generative_replay_classifier"):
        with pytest.raises(
            RequestError,
            match=f'ewc cannot be added to "{beside}"; legal for beside: conditional_generative_distillation',
        ):
            palimpsest.train(tiny(), strategy="ewc", beside=beside, out=tmp_path / "run", display=QUIET)
    with pytest.raises(RequestError, match="which trains the denoiser, and the experiment's learner is the classifier"):
        palimpsest.train(tiny(learner="classifier"), strategy="rank1_ewc", out=tmp_path / "run", display=QUIET)
    with pytest.raises(RequestError, match="unknown strategy"):
        palimpsest.train(tiny(), strategy="ewc", beside="nothing", out=tmp_path / "run", display=QUIET)
