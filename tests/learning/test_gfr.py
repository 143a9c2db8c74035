"""Generative feature replay: its losses by hand, and a run that is interrupted in either phase."""

import pytest
import torch

import palimpsest
from palimpsest.core.batch import Batch
from palimpsest.core.images import Images
from palimpsest.core.random import Random, generator
from palimpsest.models.feature_gan import build_feature_gan
from palimpsest.models.options import FeatureGANOptions
from palimpsest.runs.models import open_learners
from palimpsest.sources import Codes
from palimpsest.targets import MadeFeatures, OwnLoss, TaughtFeatures
from tests.learning.test_peers import phases
from tests.tiny import QUIET, SHAPE, interrupted_after, same, tiny

OPTIONS = FeatureGANOptions(codes=4, hidden=8)
TABLES = {
    "classifier": {"training": {"steps": 4, "batch": 8}},
    "feature_gan": {"codes": 4, "hidden": 8, "training": {"steps": 6, "batch": 8}},
}


def gan(seed: int = 0):
    return build_feature_gan(OPTIONS, 3, 2, SHAPE, seed)


def real() -> Images:
    return Images(torch.rand(5, 3, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 0, 1, 1]))


def test_the_critics_loss_by_hand():
    """D(G(z, y)) − D(f) + 10 (‖∇ D(f̂)‖ − 1)², f̂ between both."""
    learner = gan()
    asked = learner.pose("critic", real(), Random(generator("gan")))
    z, e = asked.views["codes"], asked.views["shares"][:, None]
    one_hot = torch.nn.functional.one_hot(asked.y, 2).float()
    made = learner.generator(torch.cat([z, one_hot], 1))
    false, true = (learner.critic(torch.cat([x, one_hot], 1))[:, 0] for x in (made, asked.x))
    expected = false - true + 10 * learner.penalty(e * asked.x + (1 - e) * made, asked.y)
    torch.testing.assert_close(learner({"critic": asked})["critic"], expected)
    assert ((e >= 0) & (e < 1)).all() and (made > 0).all()


def test_the_generators_loss_by_hand():
    """−D(G(z, y)): it is to make what the critic takes for real."""
    learner = gan()
    asked = learner.pose("generator", real(), Random(generator("gan")))
    one_hot = torch.nn.functional.one_hot(asked.y, 2).float()
    made = learner.generator(torch.cat([asked.views["codes"], one_hot], 1))
    expected = -learner.critic(torch.cat([made, one_hot], 1))[:, 0]
    said = learner({"generator": asked})["generator"]
    torch.testing.assert_close(said, expected)
    target = OwnLoss("generator")
    assert torch.equal(target.distance(said, target.answer(asked), asked), said) and said.abs().min() > 0


@pytest.mark.parametrize(("k", "weights"), [(1, [1]), (4, [0.25, 0.75, 6, 1.5])])
def test_weights_by_hand(k, weights):
    """1/k, 1 − 1/k, λ (k − 1) with λ = 2; a (k − 1) with a = 0.5. What weighs nothing is absent in the first task."""
    classifier, generator = phases("gfr", k, distillation=2.0, alignment=0.5)
    assert [term.weight for term in (*classifier.present, *generator.present[2:])] == weights
    assert [term.weight for term in generator.present[:2]] == [1, 1]


def test_the_penalty_is_of_the_critics_slope():
    """(‖∇ D‖ − 1)², the gradient by finite differences."""
    learner, x, y = gan().double(), real().x.double(), real().y
    one_hot, step = torch.nn.functional.one_hot(y, 2).double(), 1e-6

    def critic(x):
        return learner.critic(torch.cat([x, one_hot], 1))[:, 0]

    slopes = [(critic(x + step * row) - critic(x - step * row)) / (2 * step) for row in torch.eye(3).double()]
    torch.testing.assert_close(
        learner.penalty(x, y), (torch.stack(slopes, 1).norm(dim=1) - 1) ** 2, atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("head", "moved", "still"), [("critic", "critic", "generator"), ("generator", "generator", "critic")]
)
def test_neither_loss_moves_the_other_network(head, moved, still):
    learner = gan()
    learner({head: learner.pose(head, real(), Random(generator("gan")))})[head].mean().backward()
    assert all(weight.grad is None for weight in getattr(learner, still).parameters())
    assert any(weight.grad.abs().max() > 0 for weight in getattr(learner, moved).parameters())


def test_what_was_made_of_old_classes_is_held():
    teacher, student = gan(1), gan(2)
    z, y = torch.randn(3, 4), torch.tensor([0, 1, 1])
    question = Images(z, y)
    target = MadeFeatures(teacher)
    losses = target.distance(student({"made": question})["made"], target.answer(question), question)
    expected = ((student.make(z, y) - teacher.make(z, y)) ** 2).sum(1)
    torch.testing.assert_close(losses, expected)
    assert target.distance(target.answer(question), target.answer(question), question).abs().max() == 0


def test_the_distance_of_features_is_their_length():
    target, said = TaughtFeatures(None), torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert target.distance(said, torch.zeros(2, 2), None).tolist() == [5.0, 0.0] and not target.exists


def test_codes_are_of_the_past_classes():
    drawn = Codes(gan(), (0, 3)).draw(Batch(64, 0, (0, 2, "train 0", 0)))
    assert set(drawn.y.tolist()) == {0, 3} and drawn.x.shape == (64, 4)


def train(place):
    return palimpsest.train(tiny(**TABLES), strategy="gfr", critic_steps=2, out=place, display=QUIET)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("gfr") / "whole")


@pytest.mark.parametrize("steps", [6, 13, 18])
def test_resumed_in_either_phase_it_ends_the_same(steps, whole, tmp_path):
    """Of each task 4 steps of the classifier and 6 of the generator of features."""
    with interrupted_after(steps):
        train(tmp_path / "run")
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    ours, theirs = (open_learners(each.path / "models" / "task_2")["classifier"] for each in (run, whole))
    assert same(ours, theirs)
    assert run.results["cost"]["student_passes"] == whole.results["cost"]["student_passes"]
    assert 0 <= run.results["final"]["accuracy"] <= 1


def test_after_the_first_task_the_classifiers_batches_leave_no_statistics(tmp_path):
    """They are those of the first task, and weights are not."""
    tables = {**TABLES, "classifier": TABLES["classifier"] | {"network": "resnet8"}}
    run = palimpsest.train(tiny(**tables), strategy="gfr", critic_steps=2, out=tmp_path / "run", display=QUIET)
    first, second = (open_learners(run.path / "models" / f"task_{k}")["classifier"].state_dict() for k in (1, 2))
    statistics = [name for name in first if name.endswith(("running_mean", "running_var"))]
    assert statistics and all(torch.equal(first[name], second[name]) for name in statistics)
    assert any(first[name].abs().max() > 0 for name in statistics if name.endswith("mean")), "the first task's own"
    assert not torch.equal(first["network.head.weight"], second["network.head.weight"])
