"""A painter: a model that draws pictures of a class from seeds, whatever kind of model it is."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from palimpsest.core.errors import RequestError
from palimpsest.synthesis.subjects import Subject

WEIGHTS = re.compile(r"(diffusion_pytorch_model|model)(-\d+-of-\d+)?\.safetensors")
SIDE = 32  # pixels of what is kept, where nothing is asked
END = 2**20  # bytes that are read at either end of a file of weights


@dataclass(frozen=True)
class Painted:
    """Pictures as the model draws them, uint8 (N, H, W, C), and whether the safety checker flagged each."""

    pixels: NDArray[np.uint8]
    flagged: tuple[bool, ...]


class Painter(Protocol):
    """Draws. A picture depends on its class, its seed and how many are drawn at once, and on nothing else."""

    @property
    def native(self) -> tuple[int, int]:
        """Height and width of what it draws."""

    @property
    def passes(self) -> int:
        """Passes of the network that one picture takes, of which guidance takes two a step."""

    @property
    def about(self) -> Mapping[str, Any]:
        """What the manifest says of the model and how it draws."""

    def paint(self, subject: Subject, seeds: Sequence[int], steps: int = 0) -> Painted:
        """One picture a seed. steps: denoising steps; 0: as it was asked for."""


def digest_of(folder: Path) -> str:
    """Tells a model from another one: all of its configuration, and of its weights the sizes and both ends of each file."""
    told = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix == ".json" or WEIGHTS.fullmatch(path.name)):
        parts = file.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or not file.is_file():
            continue
        told.update(repr((parts, file.stat().st_size)).encode())
        told.update(both_ends(file) if file.suffix == ".safetensors" else file.read_bytes())
    return told.hexdigest()


def both_ends(file: Path) -> bytes:
    """The first and the last bytes of a file; of weights, the first hold the names and shapes."""
    with open(file, "rb") as opened:
        first = opened.read(END)
        opened.seek(max(file.stat().st_size - END, 0))
        return first + opened.read()


def stored_size(native: tuple[int, int], asked: int | None, usual: int = SIDE) -> tuple[int, int]:
    """Height and width that are kept. asked: as `Request.size`.  usual: pixels a side where nothing is asked.

    Raises RequestError where that is more than is drawn.
    """
    if asked == 0:
        return native
    side = min(usual, *native) if asked is None else asked
    if side > min(native):
        raise RequestError(
            f"--size {side} was asked for, and the model draws {native[1]}×{native[0]} pixels; legal: 1 to {min(native)}, or 0 "
            "for the model's own size."
        )
    if native[0] != native[1]:
        raise RequestError(
            f"--size {side} makes square pictures, and the model draws {native[1]}×{native[0]}; give --size 0, which keeps that."
        )
    return side, side
