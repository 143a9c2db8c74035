"""Precision, recall, density and coverage: which samples lie among the nearest neighbours of real features."""

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.checks import comparable

ROWS = 500  # of one distance matrix in memory at a time: 40 MB beside 10,000 samples


def prdc(real: Tensor, made: Tensor, k: int = 5) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991, sec. 2), density and coverage (Naeem et al.
    2020, arXiv 2002.09797, sec. 3), by these names.

    A feature's neighbourhood is the ball up to its k-th nearest neighbour in its own set.

    precision: share of the samples that lie in any real neighbourhood; 0 to 1: are samples realistic?
    recall: share of the real features that lie in any sample's neighbourhood; 0 to 1: is everything real made?
    density: in how many real neighbourhoods a sample lies, on average, divided by k; from 0 upwards. 1 is expected of
        samples of the real distribution, more of samples from its dense middle only. Outliers weigh less than in
        precision.
    coverage: share of the real neighbourhoods that hold a sample; 0 to 1. Outliers weigh less than in recall. About
        1 − 2⁻ᵏ is expected of as many samples of the real distribution as there are real features.

    real, made: features (N, D) and (M, D) of any float type.  Unit: shares; density is a ratio.  Direction: higher is
    better.  Sample count: all four depend on it, so only values from equal counts compare.
    One k for all four makes them cost one pass over the distances. It is 5, as in Naeem et al., who compare all four;
    Kynkäänniemi et al. take 3. Squared distances in float64, exact to about 1e-15 of the features' squared norms.
    Raises RequestError for k < 1, k or fewer samples, two widths, or features that are not finite.
    """
    if k < 1:
        raise RequestError(f"neighbourhoods need k ≥ 1 neighbours, but k is {k}; the usual values are 3 and 5.")
    real, made = comparable(real, made, least=k + 1, measure=f"precision and recall with k = {k} neighbours")
    centre = real.mean(dim=0)  # small norms lose fewer digits in the differences of squares
    real, made = real - centre, made - centre
    reach_of_made = torch.cat([reach(part, made, k) for part in made.split(ROWS)])
    hits, covered, recalled = 0, 0, 0
    precise = torch.zeros(len(made), dtype=torch.bool)
    for part in real.split(ROWS):
        apart = squared_distances(part, made)
        inside = apart <= reach(part, real, k)[:, None]
        precise |= inside.any(dim=0)
        hits += int(inside.count_nonzero())
        covered += int(inside.any(dim=1).sum())
        recalled += int((apart <= reach_of_made).any(dim=1).sum())
    return {
        "precision": int(precise.sum()) / len(made),
        "recall": recalled / len(real),
        "density": hits / (k * len(made)),
        "coverage": covered / len(real),
    }


def reach(part: Tensor, features: Tensor, k: int) -> Tensor:
    """Squared distance of each row of `part`, itself among `features`, to its k-th nearest other row of these."""
    nearest = squared_distances(part, features).topk(k + 1, dim=1, largest=False).values  # the row itself is one
    return nearest.amax(dim=1)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """|a_i − b_j|², float64 (N, M)."""
    norms = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    return norms.addmm_(a, b.T, alpha=-2).clamp_(min=0)
