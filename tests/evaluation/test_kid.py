"""The kernel distance against a brute-force version, and its standard error against recomputation and repetition."""

from statistics import mean, stdev

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.evaluation import kid
from palimpsest.evaluation.kid import kernel_distance


def features(count: int, width: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def by_hand(a, b) -> float:
    """Unbiased MMD² with the cubic kernel, one pair of samples at a time."""

    def kernel(x, y) -> float:
        return (sum(float(p) * float(q) for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    aa = mean(kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j)
    bb = mean(kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j)
    return aa + bb - 2 * mean(kernel(x, y) for x in a for y in b)


def without(some: torch.Tensor, row: int) -> torch.Tensor:
    return torch.cat([some[:row], some[row + 1 :]])


@pytest.mark.parametrize(("n", "m", "width"), [(3, 3, 1), (7, 11, 4), (12, 5, 9)])
def test_equals_the_definition_pair_by_pair(n, m, width):
    a, b = features(n, width, 0), features(m, width, 1, shift=0.5)
    assert kernel_distance(a, b)[0] == pytest.approx(by_hand(a, b), rel=1e-12)


def test_of_three_numbers_each_is_the_one_on_paper():
    """k = (xy + 1)³. a = 0, 0, 1: 1, 1, 1 → 1. b = 1, 1, 1: 8. Across: 1 (six times), 8 (three) → 10/3. 9 − 20/3."""
    a, b = torch.tensor([[0.0], [0.0], [1.0]]), torch.ones(3, 1)
    assert kernel_distance(a, b)[0] == pytest.approx(7 / 3, rel=1e-12)


def test_the_standard_error_is_the_jackknifes_by_recomputation():
    a, b = features(9, 3, 2), features(6, 3, 3, shift=0.3)
    variance = 0.0
    for estimates in ([by_hand(without(a, i), b) for i in range(9)], [by_hand(a, without(b, j)) for j in range(6)]):
        n = len(estimates)
        variance += (n - 1) / n * sum((each - mean(estimates)) ** 2 for each in estimates)
    assert kernel_distance(a, b)[1] == pytest.approx(variance**0.5, rel=1e-9)


def test_the_parts_that_it_is_computed_in_do_not_show(monkeypatch):
    a, b = features(50, 8, 4), features(31, 8, 5)
    whole = kernel_distance(a, b)
    monkeypatch.setattr(kid, "ROWS", 7)
    assert kernel_distance(a, b) == pytest.approx(whole, rel=1e-10)


def test_is_symmetric_and_the_order_of_samples_does_not_matter():
    a, b = features(40, 8, 6), features(30, 8, 7, shift=0.2)
    assert kernel_distance(b, a) == pytest.approx(kernel_distance(a, b), rel=1e-10)
    assert kernel_distance(a.flip(0), b.roll(3, 0)) == pytest.approx(kernel_distance(a, b), rel=1e-10)


def test_halves_of_one_set_are_at_distance_zero_on_average():
    """Unbiased: the mean over many halvings is within three standard errors of 0, and some are negative."""
    pairs = [features(40, 4, seed).split(20) for seed in range(200)]
    distances = [kernel_distance(a, b)[0] for a, b in pairs]
    assert abs(mean(distances)) < 3 * stdev(distances) / len(distances) ** 0.5
    assert min(distances) < 0 < max(distances)


@pytest.mark.parametrize(("shift", "ratio"), [(0.0, 2**0.5), (1.0, 1.0)])
def test_the_standard_error_is_the_spread_over_repeated_draws(shift, ratio):
    """Of two distributions that differ; of one distribution, where the distance is degenerate, √2 times the spread."""
    draws = [kernel_distance(features(60, 4, 2 * s), features(60, 4, 2 * s + 1, shift)) for s in range(300)]
    errors = mean(error**2 for _, error in draws) ** 0.5
    assert errors / stdev(distance for distance, _ in draws) == pytest.approx(ratio, rel=0.2)


def test_grows_with_the_shift_and_is_more_than_its_error():
    a = features(200, 8, 8)
    scores = [kernel_distance(a, features(200, 8, 9, shift)) for shift in (0.2, 0.5, 1.0)]
    assert scores[0][0] < scores[1][0] < scores[2][0]
    assert scores[1][0] > 5 * scores[1][1]


def test_equally_many_of_each_class_are_more_alike_than_random_ones():
    means = 3 * features(10, 8, 12)

    def classes(even: bool, seed: int) -> torch.Tensor:
        drawn = torch.randint(10, (200,), generator=torch.Generator().manual_seed(seed))
        return means[torch.arange(200) % 10 if even else drawn] + 0.5 * features(200, 8, seed)

    even, random = (
        [kernel_distance(classes(how, 2 * s), classes(how, 2 * s + 1))[0] for s in range(30)] for how in (True, False)
    )
    assert mean(even) + 3 * stdev(even) / 30**0.5 < 0
    assert abs(mean(random)) < 3 * stdev(random) / 30**0.5


def test_takes_features_of_single_precision():
    a, b = features(20, 5, 10), features(20, 5, 11)
    assert kernel_distance(a.float(), b.float()) == pytest.approx(kernel_distance(a, b), rel=1e-4)


def test_wrong_sets_are_refused_with_both_numbers():
    with pytest.raises(RequestError, match="at least 3 samples in each set, but there are 2 and 9"):
        kernel_distance(features(2, 4, 0), features(9, 4, 1))
    with pytest.raises(RequestError, match=r"\(9, 4\) and \(9, 5\)"):
        kernel_distance(features(9, 4, 0), features(9, 5, 1))
    with pytest.raises(RequestError, match="NaN or infinite"):
        kernel_distance(features(9, 4, 0), torch.full((9, 4), torch.nan))
