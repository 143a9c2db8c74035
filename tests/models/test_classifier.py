"""The classifier's network, against the published one."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.core.random import Random, generator
from palimpsest.models.classifier import build_classifier, open_classifier, save_classifier
from palimpsest.models.options import ClassifierOptions
from tests.tiny import same

TEN = tuple("0123456789")


@pytest.mark.parametrize(("channels", "parameters"), [(1, 119_722), (3, 120_298)])
@pytest.mark.parametrize("size", [8, 16, 32])
def test_the_published_network_has_the_published_number_of_parameters(channels, parameters, size):
    """arXiv 2311.14028, table A.1; pooling holds no parameters, so that smaller pictures change nothing."""
    classifier = build_classifier(ClassifierOptions(), (channels, size, size), TEN, 0)
    assert sum(p.numel() for p in classifier.parameters()) == parameters
    assert classifier.logits(torch.zeros(3, channels, size, size)).shape == (3, 10)


def test_initial_weights_come_from_the_seed_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    one, again, other = (build_classifier(ClassifierOptions(), (1, 8, 8), TEN, seed) for seed in (0, 0, 1))
    assert same(one, again) and not same(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_asked_about_the_view_that_is_meant_for_it_and_about_nothing_else():
    classifier = build_classifier(ClassifierOptions(), (1, 8, 8), TEN, 0)
    images = Images(torch.zeros(2, 1, 8, 8), torch.tensor([1, 2]), views={"logits": torch.ones(2, 1, 8, 8)})
    random = Random(generator(0))
    assert classifier.pose("logits", images, random).x.eq(1).all()
    with pytest.raises(RequestError, match='asked for its head "noise"'):
        classifier.pose("noise", images, random)


def test_it_counts_the_pictures_that_it_is_asked_about():
    classifier = build_classifier(ClassifierOptions(), (1, 8, 8), TEN, 0)
    classifier({"logits": Images(torch.zeros(5, 1, 8, 8))})
    assert classifier.passes == 5


def test_a_saved_classifier_is_opened_as_it_was(tmp_path):
    classifier = build_classifier(ClassifierOptions(dropout=0.5), (1, 16, 16), tuple("abcdefg"), 3)
    save_classifier(classifier, tmp_path)
    opened = open_classifier(tmp_path)
    assert same(classifier, opened) and opened.options == classifier.options and not opened.training
    assert open_classifier(tmp_path / "nowhere") is None
