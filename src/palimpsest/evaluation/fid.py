"""The Fréchet distance between two sets of pictures, from the mean and covariance of their features (FID)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palimpsest.core.errors import RequestError


@dataclass(frozen=True)
class Statistics:
    """What the Fréchet distance knows of a set of features.

    mean: float64 (D,).  covariance: float64 (D, D), unbiased (divided by count − 1).  count: samples behind them.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    count: int

    @property
    def deficient(self) -> bool:
        """Too few samples for the feature width: the covariance has not full rank, so a distance is far too high."""
        return self.count <= len(self.mean)


def statistics(features: Tensor | NDArray) -> Statistics:
    """Mean and covariance of features (N, D) of any float type, N ≥ 1, accumulated in float64.

    The covariance of a single sample is taken as 0. Raises RequestError for an empty or non-finite set.
    """
    values = torch.as_tensor(features).to("cpu", torch.float64).numpy()
    if values.ndim != 2 or not len(values):
        raise RequestError(f"statistics need features of shape (samples ≥ 1, width), but these are {values.shape}.")
    if not np.isfinite(values).all():
        raise RequestError("statistics need finite features, but some of these are NaN or infinite.")
    mean = values.mean(axis=0)
    centred = values - mean
    return Statistics(mean, centred.T @ centred / max(len(values) - 1, 1), len(values))


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """Squared Fréchet (2-Wasserstein) distance between two Gaussians, Heusel et al. 2017 (arXiv 1706.08500), eq. 6.

        d² = |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½)

    Unit: squared feature distance.  Direction: lower is better; 0 for a set with itself; symmetric.
    Sample count: biased upwards by about 1/count of either set, so only distances from equal counts compare.
    In float64 by symmetric eigendecomposition, which stays real where a covariance has not full rank.
    """
    if a.mean.shape != b.mean.shape:
        raise RequestError(
            f"a Fréchet distance needs features of one width, but these have {len(a.mean)} and {len(b.mean)}; "
            "take both from the same extractor."
        )
    root = square_root(a.covariance)
    product = np.linalg.eigvalsh(root @ b.covariance @ root)
    overlap = np.sqrt(product.clip(min=0)).sum()
    distance = np.square(a.mean - b.mean).sum() + np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap
    return max(float(distance), 0.0)  # rounding can leave −1e-12


def expected_bias(count_made: int, count_real: int, covariance: NDArray[np.float64]) -> float:
    """How far above the true value the Fréchet distance is expected to lie, for being taken from samples.

        (1/n + 1/m) ( tr Σ + ¼ tr Σ + ½ Σ_ij λ_i λ_j / (λ_i + λ_j) ),   λ: eigenvalues of Σ

    The leading term for two independent samples (n and m) of one Gaussian: the means' variance, and the second-order
    term of the Bures distance, ½ Σ_ij H_ij² / (λ_i + λ_j), whose H is the difference of two Wishart matrices. For
    Σ = σ²·1 of width D it is (1/n + 1/m) σ² D (D + 5) / 4. Checked numerically: for Gaussian features right to 10 %
    where both counts are at least 2 D, and rough below; heavier tails add to it (Laplace's 7 to 20 %).
    covariance: float64 (D, D), of real features.  Unit: squared feature distance, as the distance.
    Raises RequestError for a count below 1.
    """
    if min(count_made, count_real) < 1:
        raise RequestError(f"a bias needs counts of at least 1, but these are {count_made} and {count_real}.")
    values = np.linalg.eigvalsh(covariance).clip(min=0)
    sums = np.add.outer(values, values)
    pairs = np.divide(np.outer(values, values), sums, out=np.zeros_like(sums), where=sums > 0)
    return float((1 / count_made + 1 / count_real) * (1.25 * values.sum() + pairs.sum() / 2))


def square_root(symmetric: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
