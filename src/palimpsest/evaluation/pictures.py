"""What evaluation asks of a stream, and the digest of a set of pictures."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor


class Pictures(Protocol):
    """A set of labelled pictures: `streams.pictures.Pictures`, or anything alike."""

    labels: Tensor  # int64 (N,)
    white: int  # the pixel value that becomes 1
    shape: tuple[int, int, int]  # (C, H, W) of one picture

    def bytes(self, rows: Tensor) -> Tensor:
        """Raw pixels of `rows`, uint8 (B, C, H, W)."""

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures float (B, C, H, W) in [-1, 1] and their class numbers."""

    def __len__(self) -> int: ...


class Stream(Protocol):
    """The part of a stream that evaluation reads: every class's name, all training and all test pictures."""

    class_names: Sequence[str]
    train: Pictures
    test: Pictures


def in_parts(pictures: Pictures) -> Iterable[Tensor]:
    """All row numbers, a few at a time: a memory-mapped set never lies in memory as a whole."""
    return torch.arange(len(pictures)).split(2000) if len(pictures) else ()


def digest(*sets: Pictures) -> str:
    """A name for the content of some pictures, their order included; the same on every machine and device."""
    found = hashlib.blake2b(digest_size=16)
    for pictures in sets:
        found.update(repr((len(pictures), tuple(pictures.shape), int(pictures.white))).encode())
        for rows in in_parts(pictures):
            found.update(pictures.bytes(rows).cpu().contiguous().numpy())
        found.update(pictures.labels.to("cpu", torch.int64).contiguous().numpy())
    return found.hexdigest()
