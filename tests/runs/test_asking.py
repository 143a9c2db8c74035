"""Asking saved models about pictures."""

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.runs.models import open_learners
from tests.tiny import QUIET, tiny


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    options = {"per_class": 6, "teacher_steps": 2}
    tables = tiny(joint={"head_width": 8}, training={"steps": 6}, engine={"dream_batch": 8})
    return palimpsest.train(
        tables, strategy="jdcl", out=tmp_path_factory.mktemp("joint") / "run", display=QUIET, **options
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return palimpsest.train(
        tiny(), strategy="dgr_diffusion", teacher_steps=2, out=tmp_path_factory.mktemp("told") / "run", display=QUIET
    )


def pictures(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_joint_model_samples_classifies_and_scores(joint):
    x = pictures(260)  # more than a batch
    p, error = palimpsest.classify(joint.path, x), palimpsest.score(joint.path, x)
    assert p.shape == (260, 10) and torch.allclose(p.sum(1), torch.ones(260)) and error.shape == (260,)
    model = open_learners(joint.path / "models" / "task_2")["joint"]
    torch.testing.assert_close(p, model.logits(x).softmax(-1))
    assert palimpsest.sample(joint.path, count=3, steps=2).shape == (3, 1, 8, 8)
    assert not torch.equal(palimpsest.classify(joint.path, x, task=1), p)


def test_a_score_is_the_mean_error_about_the_noise(joint):
    """Of a model that sees all noise it is 0; ours is not that good. The same seed, the same score."""
    x = pictures()
    first, again = palimpsest.score(joint.path, x), palimpsest.score(joint.path / "models" / "task_2", x)
    assert torch.equal(first, again) and (first > 0).all()
    assert not torch.equal(palimpsest.score(joint.path, x, seed=1), first)


def test_a_generator_that_is_told_of_classes_needs_them(told):
    with pytest.raises(
        RequestError, match="is told of classes, and none was given; give the class of each picture, of 0, 1, 2, 3"
    ):
        palimpsest.score(told.path, pictures())
    ones, twos = (palimpsest.score(told.path, pictures(), classes=torch.full((3,), c)) for c in (1, 2))
    assert not torch.equal(ones, twos)
    assert palimpsest.classify(told.path, pictures()).shape == (3, 10)


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [([0, 1], "2 were given for 3 pictures"), ([0, 1, 7], "has not learnt class 7; legal: 0, 1, 2, 3")],
)
def test_classes_that_it_has_not_learnt_are_refused(told, joint, classes, sentence):
    with pytest.raises(RequestError, match=sentence):
        palimpsest.score(told.path, pictures(), classes=torch.tensor(classes))
    with pytest.raises(RequestError, match="is not told of classes"):
        palimpsest.score(joint.path, pictures(), classes=torch.tensor(classes))


def test_a_classifiers_folder_can_be_asked_too(tmp_path):
    run = palimpsest.train(tiny(learner="classifier"), strategy="finetune", out=tmp_path / "run", display=QUIET)
    assert palimpsest.classify(run.path / "models" / "task_1", pictures()).shape == (3, 10)
    with pytest.raises(RequestError, match="pictures are a tensor"):
        palimpsest.classify(run.path, pictures().numpy())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda x: ((x + 1) * 127.5).to(torch.uint8), r"are torch.uint8.*x.float\(\) / 127.5 - 1"),
        (lambda x: (x + 1) * 127.5, r"values from .* to 25\d, and the model takes \[-1, 1\]; x / 127.5 - 1 brings 0 to 255"),
        (lambda x: x.sign() * 1.5, "values from -1.5 to 1.5"),
        (lambda x: x.where(x < 0.5, torch.nan), "values from nan"),
        (lambda x: x.repeat(1, 3, 1, 1), r"of shape \(3, 3, 8, 8\), and the model takes .* \(N, 1, 8, 8\)"),
    ],
    ids=["bytes", "0 to 255", "beyond", "nan", "colour"],
)
def test_pictures_of_another_range_or_shape_are_refused(told, wrong, sentence):
    for asked, more in ((palimpsest.classify, {}), (palimpsest.score, {"classes": torch.tensor([0, 1, 2])})):
        with pytest.raises(RequestError, match=sentence):
            asked(told.path, wrong(pictures()), **more)


def test_rounding_beyond_the_range_is_no_error(told):
    assert palimpsest.classify(told.path, pictures().sign() * (1 + 1e-6)).shape == (3, 10)


def test_what_cannot_be_asked_is_refused(told, tmp_path):
    plain = palimpsest.train(tiny(), out=tmp_path / "run", display=QUIET)
    with pytest.raises(RequestError, match="holds no classifier and no joint model"):
        palimpsest.classify(plain.path, pictures())
    with pytest.raises(RequestError, match=r"of shape \(3, 1, 4, 8\), and the model takes .* = \(N, 1, 8, 8\)"):
        palimpsest.classify(told.path, pictures()[:, :, :4])
    with pytest.raises(RequestError, match="pictures are a tensor"):
        palimpsest.classify(told.path, pictures(0))
    with pytest.raises(RequestError, match="has no model of task 7"):
        palimpsest.classify(told.path, pictures(), task=7)
