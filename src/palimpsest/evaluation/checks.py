"""What a measure that compares two sets of features asks of them."""

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError


def comparable(a: Tensor, b: Tensor, least: int, measure: str) -> tuple[Tensor, Tensor]:
    """Two sets of features (N, D) and (M, D) of any float type, as float64 on the CPU.

    least: how many samples each set must have.  measure: stands in the sentence of a RequestError, which is raised for
    two widths, for too few samples and for features that are not finite.
    """
    a, b = torch.as_tensor(a).to("cpu", torch.float64), torch.as_tensor(b).to("cpu", torch.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise RequestError(
            f"{measure} needs two sets of features (samples, width) of one width, but these are {tuple(a.shape)} and "
            f"{tuple(b.shape)}; take both from the same extractor."
        )
    if min(len(a), len(b)) < least:
        raise RequestError(
            f"{measure} needs at least {least} samples in each set, but there are {len(a)} and {len(b)}; give more."
        )
    if not (a.isfinite().all() and b.isfinite().all()):
        raise RequestError(f"{measure} needs finite features, but some of these are NaN or infinite; leave those out.")
    return a, b
