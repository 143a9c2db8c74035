"""What stages of a network see, in a form in which two networks can be compared."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def profiles(stages: Sequence[Tensor]) -> Tensor:
    """Where stages of a network see something, float32 (B, stages, L): of each, squared, its sums over width and those over height.

    Concatenated and of length 1, as POD-spatial compares them (Douillard et al. 2020, PODNet). Shorter ones end in zeros.
    stages: (B, channels, H, W) each.
    """
    found = []
    for stage in stages:
        energy = stage.float().square()
        rows = torch.cat([energy.sum(3).flatten(1), energy.sum(2).flatten(1)], dim=1)
        found.append(functional.normalize(rows, dim=1))
    longest = max(rows.shape[1] for rows in found)
    return torch.stack([functional.pad(rows, (0, longest - rows.shape[1])) for rows in found], dim=1)
