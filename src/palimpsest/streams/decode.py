"""From stored pictures to arrays of one shape; a picture that is no good is named."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from palimpsest.core.errors import RequestError

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"})
CONVERTIBLE = ("L", "RGB", "P", "1")


class BadPicture(RequestError):
    """A picture that cannot be used: unreadable, truncated, or of a wrong mode."""


@dataclass(frozen=True)
class Form:
    """What every picture becomes. What is 0 or None is decided by the first good picture.

    size: pixels a side; 0: as stored.  channels: 1 or 3.  resize: "antialias" or "bilinear".
    like: the shape (C, H, W) that all must come to.
    """

    size: int = 0
    channels: int = 0
    resize: str = "antialias"
    like: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Stored:
    """A picture as it is stored. where: what a user needs to find it.  data: encoded bytes, or the file."""

    where: str
    data: bytes | Path | None
    label: int


def decode(pictures: Iterable[Stored], form: Form, *, skip: bool) -> Iterator[tuple[np.ndarray, int] | None]:
    """Each picture as uint8 (C, H, W) with its label; None for a bad one where `skip` allows it.

    Raises RequestError with the place of a bad picture, of one that has another size than those before it, or when
    there was not one good picture.
    """
    shape, good, bad = form.like, 0, ""
    for picture in pictures:
        try:
            pixels = read(picture.data, form)
        except BadPicture as error:
            if not skip:
                raise RequestError(
                    f"{picture.where} {error}; repair or remove it, or skip and count such pictures with "
                    "--set stream.bad_images=skip."
                ) from error
            bad = bad or f"{picture.where} {error}"
            yield None
            continue
        shape = shape or pixels.shape
        if pixels.shape != shape:
            raise RequestError(other_size(picture.where, pixels.shape, shape))
        form = replace(form, channels=shape[0])
        good += 1
        yield pixels, picture.label
    if not good:
        raise RequestError(f"not one picture can be used ({bad or 'there are none'}); name another data set.")


def other_size(where: str, found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """The sentence for a picture that has another size than the ones before it."""
    return (
        f"{where} is {found[2]}×{found[1]} pixels, and the pictures before it are {expected[2]}×{expected[1]}; "
        f"bring all to one size, for instance with --set stream.size={min(expected[1:])}."
    )


def read(data: bytes | Path | None, form: Form) -> np.ndarray:
    """One picture, uint8 (C, H, W). Raises BadPicture with the rest of a sentence that begins with its place."""
    if data is None:
        raise BadPicture("holds no picture")
    try:
        with Image.open(BytesIO(data) if isinstance(data, bytes) else data) as image:
            image.load()
            if image.format != "PNG" or "exif" in image.info:
                ImageOps.exif_transpose(image, in_place=True)  # cameras store the rotation beside the pixels
            return to_array(image, form)
    except BadPicture:
        raise
    except UnidentifiedImageError as error:
        raise BadPicture("is not a picture in any format that Pillow knows") from error
    except Exception as error:  # Pillow's decoders raise almost anything on damaged data
        raise BadPicture(f"cannot be read ({error})") from error


def to_array(image: Image.Image, form: Form) -> np.ndarray:
    """A Pillow image as uint8 (C, H, W) of the wanted channels and size. Raises BadPicture for other modes."""
    if image.mode not in CONVERTIBLE:
        raise BadPicture(f"has the mode {image.mode} (legal: {', '.join(CONVERTIBLE)})")
    channels = form.channels or (1 if image.mode in ("L", "1") else 3)
    mode = "L" if channels == 1 else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    if form.size and image.size != (form.size, form.size):
        if form.resize == "bilinear":
            return bilinear(channels_first(np.asarray(image)), form.size)
        image = image.resize((form.size, form.size), Image.Resampling.BILINEAR)
    return channels_first(np.asarray(image))


def channels_first(pixels: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) as (C, H, W)."""
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def bilinear(pixels: np.ndarray, size: int) -> np.ndarray:
    """uint8 (C, H, W) resized to (C, size, size) from the four nearest pixels each, without antialiasing."""
    batch = torch.from_numpy(pixels.astype(np.float32))[None]
    resized = torch.nn.functional.interpolate(batch, (size, size), mode="bilinear", align_corners=False)
    return resized[0].round().to(torch.uint8).numpy()
