"""Augmentations: batches of small pictures in [−1, 1], changed on their device, each row by its own random numbers.

An experiment names them in words: "flip", "padded_crop 4", "resized_crop 0.85", "randaugment 2 10", "cutout 16".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.images import Views
from palimpsest.core.random import Random
from palimpsest.sources.randaugment import LEVELS, apply_operations

Numbers = Callable[..., Random]  # by name: a generator on the device, or with device="cpu" one on the host
TRIES = 10  # of a crop that fits
ASPECT = math.log(4 / 3)  # crops are between 3:4 and 4:3


def flipped(x: Tensor, chance: Tensor) -> Tensor:
    """Each picture of x (B, C, H, W) turned left to right where its chance (B,), uniform in [0, 1), is under ½."""
    return torch.where(chance[:, None, None, None] < 0.5, x.flip(-1), x)


def flip(x: Tensor, rows: int, numbers: Numbers) -> Tensor:
    """Each picture of x (B, C, H, W) turned left to right with probability ½."""
    return flipped(x, numbers("flip").uniform(rows))


def padded_crop(x: Tensor, rows: int, numbers: Numbers, *, margin: int) -> Tensor:
    """A picture of the same size out of each, after reflecting `margin` pixels at every edge (He et al. 2016, 4.2)."""
    batch, channels, height, width = x.shape
    if margin >= min(height, width):
        raise RequestError(
            f"padded_crop {margin} was asked of pictures of {height}×{width}, which cannot be reflected so far; give a margin "
            f"below {min(height, width)}."
        )
    padded = functional.pad(x, (margin,) * 4, mode="reflect")
    down, right = (numbers("crop", axis).integers(2 * margin + 1, rows)[:, None] for axis in ("down", "right"))
    ys = (down + torch.arange(height, device=x.device))[:, None, :, None]
    xs = (right + torch.arange(width, device=x.device))[:, None, None, :]
    return padded[
        torch.arange(batch, device=x.device)[:, None, None, None],
        torch.arange(channels, device=x.device)[None, :, None, None],
        ys,
        xs,
    ]


def resized_crop(x: Tensor, rows: int, numbers: Numbers, *, least: float) -> Tensor:
    """A part of each picture, of `least` to all of its area and of an aspect from 3:4 to 4:3, brought back to its size.

    As torchvision's RandomResizedCrop: of ten tries the first that fits counts, and where none does the whole picture.
    """
    area, aspect, place = numbers("resized crop").uniform(rows, 2 * TRIES + 2).T.split((TRIES, TRIES, 2))
    area, aspect = least + (1 - least) * area, ((2 * aspect - 1) * ASPECT).exp()
    wide, high = (area * aspect).sqrt(), (area / aspect).sqrt()
    fits = (wide <= 1) & (high <= 1)
    first = fits.to(torch.uint8).argmax(0, keepdim=True)
    some = fits.any(0)
    wide, high = (torch.where(some, each.gather(0, first)[0], 1.0) for each in (wide, high))
    right, down = 2 * place - 1
    return warped(x, wide, high, (1 - wide) * right, (1 - high) * down)


def warped(x: Tensor, wide: Tensor, high: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """The part of each picture that is `wide` and `high`, in shares of it, with its middle so far from the middle."""
    nothing = torch.zeros_like(wide)
    matrices = torch.stack([torch.stack([wide, nothing, right], 1), torch.stack([nothing, high, down], 1)], 1)
    grid = functional.affine_grid(matrices, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def cutout(x: Tensor, rows: int, numbers: Numbers, *, size: int) -> Tensor:
    """A gray square of `size` pixels at a random place of each picture, as far as it lies inside (DeVries, Taylor 2017)."""
    if size >= min(x.shape[2:]):
        raise RequestError(
            f"cutout {size} was asked of pictures of {x.shape[2]}×{x.shape[3]}, of which it would leave nothing; give a size below "
            f"{min(x.shape[2:])}."
        )
    inside = []
    for axis, length in (("down", x.shape[2]), ("right", x.shape[3])):
        middle = numbers("cutout", axis).integers(length, rows)[:, None]
        first = middle - size // 2
        place = torch.arange(length, device=x.device)
        inside.append((place >= first) & (place < first + size))
    return x.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0.0)


def randaugment(x: Tensor, rows: int, numbers: Numbers, *, count: int, most: int) -> Tensor:
    """RandAugment in FixMatch's form (Sohn et al. 2020, arXiv 2001.07685): `count` operations, each drawn from 14 and applied
    with probability ½, with a strength from 1 to `most` − 1 of 10. Raises RequestError for pictures that are neither gray nor RGB."""
    if x.shape[1] not in (1, 3):
        raise RequestError(
            f"randaugment was asked of pictures of {x.shape[1]} channels, and it alters gray ones (1) and RGB ones (3); take it out of "
            "[augmentation]."
        )
    for number in range(count):
        choose = numbers("randaugment", number, device="cpu")  # on the host, which then knows which rows each changes
        chances = [choose.uniform(rows) for _ in range(4)]
        x = apply_operations(x, *chances, most=most)
    return x


@dataclass(frozen=True)
class Range:
    """What a number of an augmentation may be. whole: without a fraction."""

    name: str
    low: float
    high: float = math.inf
    whole: bool = True

    def holds(self, value: float) -> bool:
        """Whether a value lies in it."""
        return self.low <= value <= self.high and math.isfinite(value) and not (self.whole and value % 1)

    def __str__(self) -> str:
        most = "" if math.isinf(self.high) else f" to {self.high:g}"
        return f"{self.name}, {'a whole number' if self.whole else 'a number'} from {self.low:g}{most}"


AUGMENTATIONS: Mapping[str, tuple[Callable, tuple[Range, ...]]] = {
    "flip": (flip, ()),
    "padded_crop": (padded_crop, (Range("margin", 1),)),
    "resized_crop": (resized_crop, (Range("least", 0.01, 1, whole=False),)),
    "randaugment": (randaugment, (Range("count", 1), Range("most", 2, LEVELS))),
    "cutout": (cutout, (Range("size", 1),)),
}


@dataclass(frozen=True)
class Augmentation:
    """What is done to a view of pictures, in order. words: each an augmentation with its numbers."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        for words in self.words:
            parse(words)

    def __call__(self, x: Tensor, rows: int, numbers: Numbers) -> Tensor:
        """The view (B, C, H, W) of pictures (B, C, H, W). rows: of the global batch."""
        for number, words in enumerate(self.words):
            x = parse(words)(x, rows, partial(numbers, number))
        return x


@lru_cache(maxsize=64)  # asked in every step
def parse(words: str) -> Callable[[Tensor, int, Numbers], Tensor]:
    """The augmentation that words such as "padded_crop 4" mean."""
    name, *given = words.split() or [""]
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS)
    function, ranges = AUGMENTATIONS[name]
    try:
        values = [float(value) for value in given]
    except ValueError:
        values = []
    if len(values) != len(ranges) or not all(each.holds(v) for each, v in zip(ranges, values, strict=True)):
        wanted = " ".join([name, *(each.name.upper() for each in ranges)])
        legal = "".join(f"; {each}" for each in ranges)
        raise RequestError(f'the augmentation "{words}" cannot be read; write "{wanted}"{legal}.')
    whole = [int(v) if each.whole else v for each, v in zip(ranges, values, strict=True)]
    return partial(function, **{each.name: value for each, value in zip(ranges, whole, strict=True)})


def views_of(x: Tensor, rows: int, views: Sequence[tuple[str, Augmentation]], numbers: Numbers) -> Views:
    """A view of the same pictures for each head that has one; its numbers have the head in their address."""
    return Views({head: partial(augmentation, x, rows, partial(numbers, head)) for head, augmentation in views})
