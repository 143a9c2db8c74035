"""Pictures as they are stored: brought to a size, and as PNG."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """uint8 (H, W, C), C = 1 or 3, as (height, width, C): bicubic, and antialiased where it gets smaller."""
    if pixels.shape[:2] == (height, width):
        return pixels
    small = np.asarray(as_image(pixels).resize((width, height), Image.Resampling.BICUBIC))
    return small[..., None] if small.ndim == 2 else small


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """The file that holds uint8 (H, W, C): gray for C = 1, colour for C = 3."""
    content = BytesIO()
    as_image(pixels).save(content, format="PNG")
    return content.getvalue()


def as_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """uint8 (H, W, C) for Pillow."""
    return Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
