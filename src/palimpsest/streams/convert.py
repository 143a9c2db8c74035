"""A third party's pictures: anything that gives (image, label) becomes `Pictures`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from palimpsest.core.errors import RequestError, shown
from palimpsest.streams.decode import BadPicture, Form, channels_first, to_array
from palimpsest.streams.pictures import Pictures

LEGAL = (
    "legal: a PIL picture (L, RGB), uint8 numpy (H, W) or (H, W, C), uint8 torch (H, W) or (C, H, W), "
    "float (C, H, W) in [0, 1]; C is 1 or 3"
)
HINT = "(x + 1) / 2 brings [-1, 1] there"
PAIRS = "(image, label) pairs, or as two arrays (images, labels)"


def pictures_of(pairs: Any, what: str, like: tuple[int, int, int] | None = None) -> Pictures:
    """A set of pictures from (image, label, ...) pairs or from (images, labels), or the same set if it is one already.

    pairs: indexable with a length, or any iterable; or two arrays, N images and N labels.  what: names the set in errors.
    like: the shape (C, H, W) that all must have, and that an empty set takes; None: the first picture's.
    """
    if isinstance(pairs, Pictures):
        return pairs
    pixels, labels = [], []
    for number, pair in enumerate(items(pairs, what)):
        where = f"picture {number} of {what}"
        image, label = image_and_label(pair, where)
        picture = as_uint8(image, where)
        like = like or picture.shape
        if picture.shape != like:
            raise RequestError(
                f"{where} has the shape {picture.shape}, and the pictures before it have {like} (C, H, W); bring all to one "
                "shape first."
            )
        pixels.append(picture)
        labels.append(as_class(label, f"the label of {where}"))
    if like is None:
        raise RequestError(f"{what} holds no pictures; give each task at least one picture of each of its classes.")
    stacked = np.stack(pixels) if pixels else np.zeros((0, *like), dtype=np.uint8)
    return Pictures(torch.from_numpy(stacked), torch.tensor(labels, dtype=torch.int64))


def items(pairs: Any, what: str) -> Iterator[Any] | Iterable[Any]:
    """By index where there is a length: such data sets need not stop with an IndexError. Two arrays, row by row."""
    if isinstance(pairs, (tuple, list)) and len(pairs) == 2 and is_array(pairs[0]) and pairs[0].ndim > 2:
        images, labels = pairs
        shape = tuple(labels.shape) if is_array(labels) else (len(labels),) if hasattr(labels, "__len__") else ()
        if shape != (len(images),):
            raise RequestError(
                f"{what} holds {len(images)} images, and labels of the shape {shape}; give {len(images)} class numbers."
            )
        return zip(images, labels, strict=True)
    if isinstance(pairs, (Mapping, str)) or not (isinstance(pairs, Iterable) or hasattr(pairs, "__getitem__")):
        raise RequestError(f"{what} is {shown(pairs)}; give it as {PAIRS}.")
    if hasattr(pairs, "__getitem__") and hasattr(pairs, "__len__"):
        return (pairs[number] for number in range(len(pairs)))
    return pairs


def is_array(thing: Any) -> bool:
    return isinstance(thing, (np.ndarray, Tensor))


def image_and_label(pair: Any, what: str) -> tuple[Any, Any]:
    """The first two things of a pair, a row of a data set."""
    try:
        if is_array(pair) or isinstance(pair, (Mapping, str)):
            raise TypeError
        image, label, *_ = pair
    except (TypeError, ValueError) as error:
        raise RequestError(f"{what} is no pair but {shown(pair)}; give the set as {PAIRS}.") from error
    return image, label


def as_class(label: Any, what: str) -> int:
    """A class number. Raises RequestError for anything but a whole number from 0."""
    try:
        number = int(label)
        sound = number >= 0 and bool(number == label)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        sound = False
    if not sound:
        raise RequestError(f"{what} is {shown(label)}; a class is a whole number from 0.")
    return number


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
    if not is_array(image) and not hasattr(image, "__array__"):
        raise RequestError(f"{what} is {type(image).__name__}; {LEGAL}.")
    first = isinstance(image, Tensor)  # torch puts channels first, numpy's uint8 pictures have them last
    array = np.asarray(as_plain(image) if first else image)
    floating, shape = array.dtype.kind == "f", array.shape
    if array.ndim == 2 or (array.ndim == 3 and not (first or floating)):
        array = channels_first(array)
    if array.ndim != 3 or array.shape[0] not in (1, 3) or not array.size or not (floating or array.dtype == np.uint8):
        raise RequestError(f"{what} is {array.dtype} {shape}; {LEGAL}.")
    if not floating:
        return array
    if not (array.min() >= 0 and array.max() <= 1):
        raise RequestError(f"{what} has values from {array.min():.3g} to {array.max():.3g}; {LEGAL} ({HINT}).")
    return np.rint(array * 255).astype(np.uint8)
