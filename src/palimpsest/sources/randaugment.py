"""The operations of RandAugment as FixMatch has them (arXiv 2001.07685, table 12), on batches, each row with its own strength.

Pixels in [0, 1] here, as in the libraries that this follows.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 10  # of strength
GRAY = torch.tensor([0.299, 0.587, 0.114])  # ITU-R 601, as PIL has it


def apply_operations(x: Tensor, which: Tensor, whether: Tensor, strength: Tensor, sign: Tensor, *, most: int) -> Tensor:
    """x (B, C, H, W) in [−1, 1] with one operation a row, clamped to that range.

    which, whether, strength, sign: chances in [0, 1) (B,), on the host, so that nothing waits for the device to learn which
    rows an operation changes.  most: strengths are 1 to most − 1 tenths; from 2 to 10.
    """
    unit = (x.clamp(-1, 1) + 1) / 2
    chosen = (which * len(OPERATIONS)).long()
    strengths = (1 + (strength * (most - 1)).long().clamp(max=most - 2)).float() / LEVELS
    signed = torch.where(sign < 0.5, -strengths, strengths)
    for number, (operation, two_sided) in enumerate(OPERATIONS):
        rows = ((chosen == number) & (whether < 0.5)).nonzero().squeeze(1)
        if operation is not None and len(rows):
            level = (signed if two_sided else strengths)[rows].to(x.device, non_blocking=True)
            rows = rows.to(x.device, non_blocking=True)
            unit = unit.index_copy(0, rows, operation(unit[rows], level[:, None, None, None]).clamp(0, 1))
    return unit * 2 - 1


def gray(x: Tensor) -> Tensor:
    """(B, 1, H, W) from one or three channels."""
    return x if x.shape[1] == 1 else (x * GRAY.to(x.device)[None, :, None, None]).sum(1, keepdim=True)


def blended(base: Tensor, x: Tensor, level: Tensor) -> Tensor:
    """PIL's enhancement: 0.05 + 0.9 · level of x and the rest of a dull base."""
    factor = 0.05 + 0.9 * level
    return base + factor * (x - base)


# Each operation: pictures x (N, C, H, W) in [0, 1], C one or three, and strengths (N, 1, 1, 1), to pictures of the same shape.


def autocontrast(x: Tensor, level: Tensor) -> Tensor:
    """The darkest value of each channel becomes 0, the brightest 1."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x)


def brightness(x: Tensor, level: Tensor) -> Tensor:
    """The base is black."""
    return blended(torch.zeros_like(x), x, level)


def color(x: Tensor, level: Tensor) -> Tensor:
    """The base is the gray picture."""
    return blended(gray(x).expand_as(x), x, level)


def contrast(x: Tensor, level: Tensor) -> Tensor:
    """The base is the mean gray of the picture."""
    return blended(gray(x).mean((1, 2, 3), keepdim=True).expand_as(x), x, level)


def equalize(x: Tensor, level: Tensor) -> Tensor:
    """The values of each channel become equally frequent."""
    from kornia.enhance import equalize

    return equalize(x)


def posterize(x: Tensor, level: Tensor) -> Tensor:
    """4 to 8 bits are kept."""
    from kornia.enhance import posterize

    return posterize(x, 4 + (4 * level.flatten()).int())


def sharpness(x: Tensor, level: Tensor) -> Tensor:
    """The base is smoothed."""
    from kornia.enhance import sharpness

    return sharpness(x, 0.05 + 0.9 * level.flatten())


def solarize(x: Tensor, level: Tensor) -> Tensor:
    """Pixels above a threshold, which falls as the strength rises, are inverted."""
    from kornia.enhance import solarize

    return solarize(x, thresholds=1 - level.flatten())


def moved(matrix: Callable[[Tensor], list[list[Tensor]]]) -> Callable[[Tensor, Tensor], Tensor]:
    """An operation that looks up each pixel elsewhere: nearest pixel, black outside."""

    def operation(x: Tensor, level: Tensor) -> Tensor:
        rows = matrix(level[:, 0, 0, 0])
        matrices = torch.stack([torch.stack(row, 1) for row in rows], 1)
        grid = functional.affine_grid(matrices, list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, mode="nearest", padding_mode="zeros", align_corners=False)

    return operation


def turned(level: Tensor) -> list[list[Tensor]]:
    """By up to 30 degrees."""
    angle = level * math.radians(30)
    return [[angle.cos(), -angle.sin(), 0 * level], [angle.sin(), angle.cos(), 0 * level]]


def one(level: Tensor) -> Tensor:
    return torch.ones_like(level)


# Each with whether its strength has a sign. Shears go up to 0.3, shifts up to 0.3 of the width (0.6 of [−1, 1]).
OPERATIONS: list[tuple[Callable[[Tensor, Tensor], Tensor] | None, bool]] = [
    (None, False),  # identity
    (autocontrast, False),
    (brightness, False),
    (color, False),
    (contrast, False),
    (equalize, False),
    (posterize, False),
    (sharpness, False),
    (solarize, False),
    (moved(turned), True),
    (moved(lambda s: [[one(s), 0.3 * s, 0 * s], [0 * s, one(s), 0 * s]]), True),
    (moved(lambda s: [[one(s), 0 * s, 0 * s], [0.3 * s, one(s), 0 * s]]), True),
    (moved(lambda s: [[one(s), 0 * s, 0.6 * s], [0 * s, one(s), 0 * s]]), True),
    (moved(lambda s: [[one(s), 0 * s, 0 * s], [0 * s, one(s), 0.6 * s]]), True),
]
