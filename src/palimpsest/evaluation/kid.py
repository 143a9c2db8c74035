"""The kernel distance between two sets of features (KID), and its standard error."""

import torch
from torch import Tensor

from palimpsest.evaluation.checks import comparable

ROWS = 500  # of one kernel matrix in memory at a time: 40 MB beside 10,000 samples


def kernel_distance(a: Tensor, b: Tensor) -> tuple[float, float]:
    """Kernel inception distance, Bińkowski et al. 2018 (arXiv 1801.01401), sec. 4, and its standard error.

        mean_{i≠j} k(a_i, a_j) + mean_{i≠j} k(b_i, b_j) − 2 mean_{ij} k(a_i, b_j),   k(x, y) = (x·y / D + 1)³

    a, b: features (N, D) and (M, D) of any float type, at least 3 of each.
    Unit: squared maximum mean discrepancy (MMD²).  Direction: lower is better; symmetric.  Range: from about 0; being
    unbiased, it is 0 on average for two sets of one distribution, and so can be slightly negative. Two sets that have equally many
    of each class are more alike than random ones, and lie below 0 for it.
    Sample count: any; unlike FID, distances from different counts compare.
    Over all pairs of both sets, where the paper averages random subsets: the same expectation, but no random numbers.

    The standard error is the two-sample jackknife's: the spread when one of a, and when one of b, is left out. It says
    how far the distance moves with other samples, and is up to √2 too large where both distributions are the same.
    Raises RequestError for fewer than 3 samples, two widths, or features that are not finite.
    """
    a, b = comparable(a, b, least=3, measure="the kernel distance")  # 3: with one left out, a pair must remain
    n, m = len(a), len(b)
    within_a = kernel_sums(a, a)[0] - kernel_of_itself(a)
    within_b = kernel_sums(b, b)[0] - kernel_of_itself(b)
    across_a, across_b = kernel_sums(a, b)
    aa, bb, ab = within_a.sum(), within_b.sum(), across_a.sum()
    without_a = estimate(aa - 2 * within_a, bb, ab - across_a, n - 1, m)
    without_b = estimate(aa, bb - 2 * within_b, ab - across_b, n, m - 1)
    variance = (n - 1) * without_a.var(correction=0) + (m - 1) * without_b.var(correction=0)
    return float(estimate(aa, bb, ab, n, m)), float(variance.sqrt())


def estimate(aa: Tensor, bb: Tensor, ab: Tensor, n: int, m: int) -> Tensor:
    """Unbiased MMD² from sums of the kernel over all i ≠ j in a (n samples), in b (m samples), and across."""
    return aa / (n * (n - 1)) + bb / (m * (m - 1)) - 2 * ab / (n * m)


def kernel_sums(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Row sums (N,) and column sums (M,) of the kernel matrix of a (N, D) and b (M, D)."""
    rows, columns = [], torch.zeros(len(b), dtype=a.dtype)
    for part in a.split(ROWS):
        kernel = (part @ b.T).div_(a.shape[1]).add_(1).pow_(3)
        rows.append(kernel.sum(dim=1))
        columns += kernel.sum(dim=0)
    return torch.cat(rows), columns


def kernel_of_itself(a: Tensor) -> Tensor:
    """k(a_i, a_i), (N,)."""
    return (a.square().mean(dim=1) + 1) ** 3
