"""A linear classifier on features."""

import pytest
import torch

from palimpsest.evaluation.linear_probe import linear_probe
from palimpsest.streams.pictures import Pictures


def pictures(count: int, seed: int) -> Pictures:
    """The class is whether the upper left pixel is bright; all others are noise."""
    pixels = torch.randint(0, 256, (count, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Pictures(pixels, (pixels[:, 0, 0, 0] > 127).long())


def test_what_features_hold_is_found_and_what_they_lack_is_not():
    training, test = pictures(400, 0), pictures(400, 1)
    assert linear_probe(lambda x: x.flatten(1), training, test, "cpu") > 0.93
    assert linear_probe(lambda x: x.flatten(1)[:, 1:], training, test, "cpu") == pytest.approx(0.5, abs=0.08)


def test_scale_and_shift_of_features_do_not_matter():
    training, test = pictures(200, 0), pictures(200, 1)
    shares = [
        linear_probe(lambda x, a=a, b=b: a * x.flatten(1) + b, training, test, "cpu") for a, b in ((1, 0), (100, 7))
    ]
    assert shares[0] == pytest.approx(shares[1], abs=0.011)
