"""A third party's pictures: anything that gives (image, label) becomes `Pictures`."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.streams.decode import BadPicture, Form, channels_first, to_array
from palimpsest.streams.pictures import Pictures

LEGAL = (
    "legal: a PIL picture (L, RGB), uint8 numpy (H, W) or (H, W, C), uint8 torch (H, W) or (C, H, W), "
    "float (C, H, W) in [0, 1]; C is 1 or 3"
)


def pictures_of(pairs: Any, what: str, like: tuple[int, int, int] | None = None) -> Pictures:
    """A set of pictures from (image, label, ...) pairs, or the same set if it is one already.

    pairs: indexable with a length, or any iterable.  what: names the set in errors.
    like: the shape (C, H, W) that all must have, and that an empty set takes; None: the first picture's.
    """
    if isinstance(pairs, Pictures):
        return pairs
    pixels, labels = [], []
    for number, (image, label, *_) in enumerate(items(pairs)):
        picture = as_uint8(image, f"picture {number} of {what}")
        like = like or picture.shape
        if picture.shape != like:
            raise RequestError(
                f"picture {number} of {what} has the shape {picture.shape}, and the pictures before it have {like} "
                "(C, H, W); bring all to one shape first."
            )
        pixels.append(picture)
        labels.append(int(label))
    if like is None:
        raise RequestError(f"{what} holds no pictures; give each task at least one picture of each of its classes.")
    stacked = np.stack(pixels) if pixels else np.zeros((0, *like), dtype=np.uint8)
    return Pictures(torch.from_numpy(stacked), torch.tensor(labels, dtype=torch.int64))


def items(pairs: Any) -> Iterator[Any] | Iterable[Any]:
    """By index where there is a length: such data sets need not stop with an IndexError."""
    if hasattr(pairs, "__getitem__") and hasattr(pairs, "__len__"):
        return (pairs[number] for number in range(len(pairs)))
    return pairs


def as_plain(image: Tensor) -> Tensor:
    """A tensor that numpy can hold: it knows no bfloat16."""
    image = image.detach().cpu()
    return image.float() if image.is_floating_point() else image


def as_uint8(image: Any, what: str) -> np.ndarray:
    """One image as uint8 (C, H, W). Raises RequestError with the legal kinds."""
    if isinstance(image, Image.Image):
        try:
            return to_array(image, Form())
        except BadPicture as error:
            raise RequestError(f"{what} {error}; convert it first.") from error
    first = isinstance(image, Tensor)  # torch puts channels first, numpy's uint8 pictures have them last
    array = np.asarray(as_plain(image) if first else image)
    floating = array.dtype.kind == "f"
    if array.ndim == 2 or (array.ndim == 3 and not (first or floating)):
        array = channels_first(array)
    if array.ndim != 3 or array.shape[0] not in (1, 3) or not (floating or array.dtype == np.uint8):
        found = f"{array.dtype} {tuple(array.shape)}" if array.ndim else type(image).__name__
        raise RequestError(f"{what} is {found}; {LEGAL}.")
    if not floating:
        return array
    if not (array.min() >= 0 and array.max() <= 1):
        raise RequestError(f"{what} has values from {array.min():.3g} to {array.max():.3g}; {LEGAL}.")
    return np.rint(array * 255).astype(np.uint8)
