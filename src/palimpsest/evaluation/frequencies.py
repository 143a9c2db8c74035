"""Does the model still make every class, and as often as it should? Distances between class frequencies.

Both measures take counts over ALL classes of the stream, int or float (classes,): the true ones from the labels of the
reference set, the generated ones from an evaluator's labels of the samples. Direction: lower is better, 0 is right.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palimpsest.core.errors import RequestError

SMOOTHING = 1e-8  # added to both frequencies, as in the published code of arXiv 2311.14028

Counts = Sequence[float] | NDArray | Tensor


def counts(labels: Tensor, classes: int) -> Tensor:
    """How often each class occurs: int64 (classes,) from class numbers int64 (N,)."""
    return torch.bincount(labels.flatten().cpu(), minlength=classes)


def kld(true: Counts, generated: Counts) -> float:
    """Kullback–Leibler divergence KL(true ‖ generated) of class frequencies (Masip et al., arXiv 2311.14028, sec. 5).

        Σ_c p_c (ln p_c − ln q_c),  1e-8 added to every p_c and q_c

    Unit: nats.  Range: 0 (to within 1e-8) to about 18.4. One missing class of ten costs 1.52.
    """
    p, q = frequencies(true, generated)
    p, q = p + SMOOTHING, q + SMOOTHING
    return float((p * (np.log(p) - np.log(q))).sum())


def total_variation(true: Counts, generated: Counts) -> float:
    """Total variation distance ½ Σ_c |p_c − q_c|: the share of the samples that would have to change class.

    Unit: share of the samples, 0 to 1.
    """
    p, q = frequencies(true, generated)
    return float(np.abs(p - q).sum() / 2)


def frequencies(true: Counts, generated: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both counts as float64 shares of their totals; RequestError where they do not describe the same classes."""
    p, q = (np.asarray(each, dtype=np.float64) for each in (true, generated))
    if p.shape != q.shape or p.ndim != 1:
        raise RequestError(f"class counts must be over the same classes, but have the shapes {p.shape} and {q.shape}.")
    if not (p.sum() > 0 and q.sum() > 0):
        raise RequestError("class frequencies need at least one picture on each side, but one side has none.")
    return p / p.sum(), q / q.sum()
