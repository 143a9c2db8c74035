"""The Fréchet distance against scipy, and its laws."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.fid import Statistics, frechet_distance, square_root, statistics


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
