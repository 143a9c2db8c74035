"""Samples as one picture: a grid with thin gaps."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.core.files import write_atomically

SMALLEST = 32  # a side in pixels, below which pictures are enlarged to be seen
GAP = 2
PAPER = 255


def sample_sheet(samples: Tensor, columns: int) -> Image.Image:
    """A grid of samples, filled row by row: an "L" or "RGB" image.

    samples: float (N, C, H, W) in [-1, 1], C = 1 or 3, N ≥ 1; values outside are clamped, NaN becomes mid-gray.
    """
    if samples.ndim != 4 or samples.shape[1] not in (1, 3) or not len(samples) or columns < 1:
        raise RequestError(
            f"a sheet needs samples of shape (N ≥ 1, 1 or 3, H, W) and at least one column, but got "
            f"{tuple(samples.shape)} and {columns} columns."
        )
    pictures = enlarge(to_bytes(samples))
    count, height, width, channels = pictures.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    high, wide = height + GAP, width + GAP
    sheet = np.full((rows * high + GAP, columns * wide + GAP, channels), PAPER, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = GAP + place // columns * high, GAP + place % columns * wide
        sheet[top : top + height, left : left + width] = picture
    return Image.fromarray(sheet.squeeze(2) if channels == 1 else sheet)


def to_bytes(samples: Tensor) -> NDArray[np.uint8]:
    """uint8 (N, H, W, C) from float (N, C, H, W) in [-1, 1]: −1 is 0, 1 is 255."""
    shades = samples.detach().float().nan_to_num(0.0).clamp(-1, 1).add(1).mul(127.5).round()
    return shades.byte().permute(0, 2, 3, 1).cpu().numpy()


def enlarge(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Small pictures (N, H, W, C) by a whole factor, each pixel repeated, so that both sides are at least 32."""
    factor = -(-SMALLEST // min(pictures.shape[1:3]))
    return pictures.repeat(factor, axis=1).repeat(factor, axis=2)


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Writes a PNG; a reader sees the old file or the whole new one."""
    content = BytesIO()
    sheet.save(content, format="PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())
