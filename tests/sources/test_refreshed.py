"""Dreams that a classifier in training guides: one batch for some steps, then another."""

from dataclasses import replace

import pytest
import torch

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.diffusion.guidance import ByClassifier
from palimpsest.diffusion.samplers import Sampler
from palimpsest.learning.devices import Machine
from palimpsest.learning.filling import renew
from palimpsest.models.classifier import build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.sources import Dreams, Refreshed
from tests.tiny import SHAPE, conditional_denoiser


@pytest.fixture(scope="module")
def classifier():
    """In training: dropout is off all the same where it guides."""
    return build_classifier(ClassifierOptions(), SHAPE, list("abcd"), 0).train()


def source(classifier, every: int, scale: float = 5.0) -> Refreshed:
    guide = ByClassifier(classifier, scale, others=(2, 3), through=True)
    return Refreshed(Dreams(conditional_denoiser(), Sampler("ddim", 3), classes=(0, 1), guide=guide), every)


def drawn(source: Refreshed, step: int, **changes):
    batch = replace(Batch(8, 8 * step, (0, 2, "train 1", step), steps=9), **changes)
    if source.is_due(step):
        renew(source, batch, Machine(torch.device("cpu")))
    return source.draw(batch)


def test_a_batch_is_used_for_so_many_steps(classifier):
    refreshed = source(classifier, 3)
    batches = [drawn(refreshed, step) for step in range(7)]
    same = [torch.equal(first.x, second.x) for first, second in zip(batches, batches[1:], strict=False)]
    assert same == [True, True, False, True, True, False]


def test_what_a_checkpoint_holds_is_gone_on_with_though_the_classifier_has_moved_on(classifier):
    refreshed, other = source(classifier, 4), source(classifier, 4, scale=0.5)
    first = drawn(refreshed, 4)
    other.kept.load(refreshed.kept.state())
    assert torch.equal(drawn(other, 5).x, first.x) and not torch.equal(drawn(other, 8).x, drawn(refreshed, 8).x)


def test_a_short_batch_and_a_process_take_their_rows_of_a_whole_one(classifier):
    refreshed = source(classifier, 4)
    whole = drawn(refreshed, 0)
    assert torch.equal(drawn(refreshed, 1, size=3, whole=8).x, whole.x[:3])
    parts = [refreshed.draw(Batch(8, 0, (0, 2, "train 1", 2), rank=rank, world=2)) for rank in (0, 1)]
    assert torch.equal(torch.cat([part.x for part in parts]), whole.x) and parts[0].total == 8


def test_they_keep_their_class_and_look_likelier_to_be_a_new_one(classifier):
    bent, plain = drawn(source(classifier, 1), 0, size=64), drawn(source(classifier, 1, scale=0.0), 0, size=64)
    assert torch.equal(bent.y, plain.y) and set(bent.y.tolist()) == {0, 1}
    classifier.eval()
    p = [classifier.logits(each.x).softmax(-1)[:, 2:].amax(1).mean() for each in (bent, plain)]
    classifier.train()
    assert p[0] > p[1]


def test_it_is_refreshed_every_step_at_the_least(classifier):
    with pytest.raises(RequestError, match="every 0 steps"):
        source(classifier, 0)
