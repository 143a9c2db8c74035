"""The Fréchet distance against scipy, and its laws."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.fid import Statistics, expected_bias, frechet_distance, square_root, statistics


def correlated(count: int, width: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Features with a full-rank covariance far from diagonal."""
    random = np.random.default_rng(seed)
    return random.normal(size=(count, width)) @ random.normal(size=(width, width)) + shift


@pytest.mark.parametrize(("width", "seed"), [(2, 0), (8, 1), (32, 2), (64, 3)])
def test_equals_scipys_matrix_square_root(width, seed):
    a, b = (statistics(correlated(6 * width, width, 10 * seed + i, shift=i)) for i in (0, 1))
    overlap = np.trace(sqrtm(a.covariance @ b.covariance).real)
    expected = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_statistics_are_numpys_for_tensors_and_arrays():
    features = correlated(50, 5, 0).astype(np.float32)
    for given in (features, torch.from_numpy(features)):
        found = statistics(given)
        np.testing.assert_allclose(found.mean, features.astype(np.float64).mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.covariance, np.cov(features.astype(np.float64), rowvar=False), rtol=1e-12)
        assert (found.mean.dtype, found.covariance.dtype, found.count) == (np.float64, np.float64, 50)


@pytest.mark.parametrize("count", [200, 5])  # full rank, and rank-deficient
def test_is_zero_for_a_set_with_itself_and_never_negative(count):
    some = statistics(correlated(count, 8, 4))
    assert 0 <= frechet_distance(some, some) < 1e-9 * np.trace(some.covariance)


def test_is_symmetric_also_without_full_rank():
    a, b = statistics(correlated(6, 8, 5)), statistics(correlated(100, 8, 6))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)
    assert a.deficient and not b.deficient


def test_of_diagonal_gaussians_is_the_closed_form():
    """|μ₁ − μ₂|² + Σ (σ₁ − σ₂)²: 9 + (1 − 3)² + (2 − 2)² = 13."""
    a = Statistics(np.array([0.0, 0.0]), np.diag([1.0, 4.0]), 10)
    b = Statistics(np.array([3.0, 0.0]), np.diag([9.0, 4.0]), 10)
    assert frechet_distance(a, b) == pytest.approx(13, rel=1e-12)


def test_square_root_squared_is_the_matrix():
    matrix = statistics(correlated(40, 6, 7)).covariance
    np.testing.assert_allclose(square_root(matrix) @ square_root(matrix), matrix, atol=1e-10)


def test_a_single_sample_has_no_spread():
    found = statistics(np.ones((1, 3)))
    assert not found.covariance.any() and found.deficient


@pytest.mark.parametrize("features", [np.ones((0, 3)), np.ones(3), np.full((4, 3), np.nan)])
def test_statistics_of_nothing_or_of_nan_are_refused(features):
    with pytest.raises(RequestError, match="statistics need"):
        statistics(features)


def test_two_widths_are_refused_with_both_numbers():
    with pytest.raises(RequestError, match="have 3 and 4"):
        frechet_distance(statistics(np.eye(3)), statistics(np.eye(4)))


def mean_distance(n: int, m: int, deviations: np.ndarray, draws: int) -> float:
    """The average distance between n and m samples of one Gaussian with these standard deviations."""
    random = np.random.default_rng(0)

    def sampled(count: int) -> Statistics:
        return statistics(random.normal(size=(count, len(deviations))) * deviations)

    return float(np.mean([frechet_distance(sampled(n), sampled(m)) for _ in range(draws)]))


@pytest.mark.parametrize(("n", "m"), [(40, 40), (160, 160), (640, 640), (1000, 100)])
def test_of_two_halves_of_one_set_is_its_known_bias(n, m):
    """For Σ = σ²·1 of width D: (1/n + 1/m) σ² D (D + 5) / 4, so bias times count is constant."""
    expected = (1 / n + 1 / m) * 4 * 16 * 21 / 4
    assert expected_bias(n, m, 4 * np.eye(16)) == pytest.approx(expected, rel=1e-12)
    assert mean_distance(n, m, np.full(16, 2.0), draws=300) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("count", [64, 512])
def test_the_bias_is_known_also_where_the_features_vary_differently(count):
    deviations = np.logspace(0, -2, 16)
    expected = expected_bias(count, count, np.diag(deviations**2))
    assert mean_distance(count, count, deviations, draws=400) == pytest.approx(expected, rel=0.1)


def test_the_bias_does_not_depend_on_the_axes_and_features_that_never_vary_have_none():
    covariance = statistics(correlated(60, 6, 8)).covariance
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    expected = expected_bias(50, 70, covariance)
    assert expected_bias(50, 70, turned @ covariance @ turned.T) == pytest.approx(expected, rel=1e-9)
    assert expected_bias(70, 50, np.pad(covariance, (0, 3))) == pytest.approx(expected, rel=1e-9)


def test_a_bias_of_no_samples_is_refused():
    with pytest.raises(RequestError, match="these are 0 and 5"):
        expected_bias(0, 5, np.eye(2))
