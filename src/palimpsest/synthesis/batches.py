"""Batches: which pictures are drawn together, and what becomes of those that the safety checker flags.

A network's last bits depend on how many pictures it is given at once. So batch b of a class is always its pictures
b·B ... b·B + B − 1, drawn whole also where fewer of them are wanted, and a picture that was flagged is drawn again by itself.
Nothing here depends on how many pictures are asked for, or on how many processes draw them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.core.random import seed_of
from palimpsest.streams.pixels import as_png, resized
from palimpsest.synthesis.painter import Painter
from palimpsest.synthesis.request import Request
from palimpsest.synthesis.subjects import Subject


@dataclass(frozen=True)
class Batch:
    """Batch `number` of class `subject`, both by their place in order."""

    subject: int
    number: int


@dataclass(frozen=True)
class Drawn:
    """pictures: what the manifest says of each, and its file.  lost: places of those that were flagged in every try.

    flagged: how many tries were flagged, in all.
    """

    pictures: tuple[tuple[dict[str, Any], bytes], ...]
    lost: tuple[int, ...]
    flagged: int


def batches_of(count: int, batch: int) -> int:
    """How many batches `count` pictures take."""
    return -(-count // batch)


def wanted(settings: Mapping[str, Any], number: int) -> int:
    """How many pictures of a batch are kept. settings: with "count", of each class, and "batch"."""
    return min(settings["batch"], settings["count"] - number * settings["batch"])


def plan(subjects: int, request: Request, done: set[tuple[int, int]]) -> list[Batch]:
    """The batches that are missing, class after class. done: those that are there, as (class, number)."""
    numbers = range(batches_of(request.count, request.batch))
    return [
        Batch(subject, number) for subject in range(subjects) for number in numbers if (subject, number) not in done
    ]


def seed_for(request: Request, subject: Subject, place: int, attempt: int) -> int:
    """The seed of a picture of a class in its first (0) or a later try."""
    return seed_of(request.seed, "synthesize", subject.folder, place, attempt)


def draw(painter: Painter, subject: Subject, number: int, request: Request, size: tuple[int, int]) -> Drawn:
    """The pictures of a batch that are wanted. size: (height, width) that they are brought to."""
    places = range(number * request.batch, (number + 1) * request.batch)
    painted = painter.paint(subject, [seed_for(request, subject, place, 0) for place in places])
    pictures, lost, flagged = [], [], 0
    for row, place in enumerate(places[: request.count - places[0]]):
        pixels, attempt = painted.pixels[row], 0
        if painted.flagged[row]:
            pixels, attempt = again(painter, subject, place, request)
        flagged += attempt if pixels is not None else attempt + 1
        if pixels is None:
            lost.append(place)
        else:
            pictures.append(
                recorded(resized(pixels, *size), place, seed_for(request, subject, place, attempt), attempt)
            )
    return Drawn(tuple(pictures), tuple(lost), flagged)


def again(painter: Painter, subject: Subject, place: int, request: Request) -> tuple[NDArray[np.uint8] | None, int]:
    """Draw a flagged picture with the seeds of further tries; its pixels and its try, or None where all were flagged."""
    for attempt in range(1, request.retries + 1):
        painted = painter.paint(subject, [seed_for(request, subject, place, attempt)])
        if not painted.flagged[0]:
            return painted.pixels[0], attempt
    return None, request.retries


def recorded(pixels: NDArray[np.uint8], place: int, seed: int, flagged: int) -> tuple[dict[str, Any], bytes]:
    """What the manifest says of a picture, and its file."""
    content = as_png(pixels)
    digest = hashlib.sha256(content).hexdigest()
    return {"file": f"{place:05d}.png", "seed": seed, "sha256": digest, "flagged": flagged}, content
