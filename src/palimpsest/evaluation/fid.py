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


def square_root(symmetric: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
