"""Distances between class frequencies, by hand."""

import math

import numpy as np
import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.frequencies import counts, kld, total_variation


def test_equal_frequencies_are_at_distance_zero_whatever_the_totals():
    assert kld([10, 20, 0], [1, 2, 0]) == pytest.approx(0, abs=1e-7)
    assert total_variation([10, 20, 0], [1, 2, 0]) == pytest.approx(0, abs=1e-12)


def test_one_missing_class_of_ten_costs_its_closed_form():
    """p = 1/10; q = 1/9 for nine classes and 0 + 1e-8 for the tenth: 0.1 ln(1e7) − 0.9 ln(10/9) = 1.51699."""
    true, made = torch.full((10,), 100), torch.tensor([100] * 9 + [0])
    by_hand = 0.1 * math.log(1e7) + 0.9 * math.log(0.9)
    assert kld(true, made) == pytest.approx(by_hand, abs=1e-6)
    assert by_hand == pytest.approx(1.51699, abs=1e-5)
    assert total_variation(true, made) == pytest.approx(0.1, abs=1e-12)


def test_the_direction_is_true_to_generated():
    """A class that is made and was never seen costs little; one that was seen and is never made costs much."""
    seen_two, made_one = [50, 50, 0], [100, 0, 0]
    assert kld(seen_two, made_one) == pytest.approx(0.5 * math.log(0.5) + 0.5 * math.log(0.5e8), abs=1e-6)
    assert kld(made_one, seen_two) == pytest.approx(math.log(2), abs=1e-6)


def test_total_variation_of_disjoint_frequencies_is_one():
    assert total_variation([5, 0], [0, 7]) == 1


def test_equals_torchs_divergence_for_positive_frequencies():
    true, made = torch.rand(2, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
    p, q = true / true.sum(), made / made.sum()
    expected = torch.nn.functional.kl_div(q.log(), p, reduction="sum")
    assert kld(true, made) == pytest.approx(float(expected), abs=1e-6)


def test_counts_are_over_all_classes_of_the_stream():
    assert counts(torch.tensor([0, 2, 2]), 5).tolist() == [1, 0, 2, 0, 0]


@pytest.mark.parametrize("measure", [kld, total_variation])
def test_counts_that_cannot_be_compared_are_refused(measure):
    with pytest.raises(RequestError, match="same classes"):
        measure(np.ones(3), np.ones(4))
    with pytest.raises(RequestError, match="at least one picture"):
        measure(np.ones(3), np.zeros(3))
