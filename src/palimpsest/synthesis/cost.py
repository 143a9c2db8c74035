"""What a set of pictures costs, in words before it is drawn, and in hours from a batch of a few steps."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from palimpsest.core.files import megabytes
from palimpsest.core.words import counted
from palimpsest.synthesis.batches import Batch, seed_for, wanted
from palimpsest.synthesis.display import rounded
from palimpsest.synthesis.painter import Painter
from palimpsest.synthesis.request import Request
from palimpsest.synthesis.subjects import Subject

BLOCK = 4096  # bytes in which disks are given out


def disk_bytes(pictures: int, size: tuple[int, int], channels: int = 3) -> int:
    """The most that PNGs of (height, width) take on a disk: their raw pixels and some header, in whole blocks."""
    return pictures * -(-(size[0] * size[1] * channels + 200) // BLOCK) * BLOCK


def in_words(request: Request, classes: int, native: tuple[int, int], size: tuple[int, int], done: int) -> str:
    """What is going to be drawn. done: pictures that are there already."""
    pictures = classes * request.count
    drawn = f", drawn at {native[1]}×{native[0]}" if native != size else ""
    there = f"; {done:,} are there already" if done else ""
    return (
        f"{counted(pictures, 'picture')} of {size[1]}×{size[0]}{drawn}: {request.count:,} of each of "
        f"{counted(classes, 'class')}, in batches of {request.batch}, up to {megabytes(disk_bytes(pictures, size))} on the disk{there}"
    )


@dataclass(frozen=True)
class SynthesisEstimate:
    """pictures: that are wanted.  painted: that are drawn for them, whole batches.  passes: of the network, for all.

    seconds: of all batches, on as many processes as took part.
    """

    pictures: int
    painted: int
    passes: int
    seconds: float
    disk: int

    def table(self) -> Table:
        """For people."""
        made = Table(show_header=False, box=None)
        rows = {
            "pictures": f"{self.pictures:,} ({self.painted:,} are drawn, in whole batches)",
            "network passes": f"{self.passes:,} pictures",
            "rate": f"{rounded(self.pictures / self.seconds)} pictures/s" if self.pictures else "all are there",
            "all": f"{self.seconds / 3600:,.3f} h ({self.seconds:,.0f} s), without what is flagged and drawn again",
            "disk": f"up to {megabytes(self.disk)}",
        }
        for name, value in rows.items():
            made.add_row(name, value)
        return made


def estimate(
    painter: Painter,
    subjects: tuple[Subject, ...],
    request: Request,
    size: tuple[int, int],
    world: int,
    missing: Sequence[Batch],
) -> SynthesisEstimate:
    """From one batch of one step and one of two: their difference is what a step takes, and the rest is not per step."""
    if not missing:
        return SynthesisEstimate(0, 0, 0, 0.0, 0)
    paint_for(painter, subjects[0], request, 1)  # the first one finds its feet
    one, two = (paint_for(painter, subjects[0], request, steps) for steps in (1, 2))
    step = two - one if two > one else two / 2
    batch = max(one - step, 0) + step * request.steps
    kept = {"count": request.count, "batch": request.batch}
    painted, pictures = len(missing) * request.batch, sum(wanted(kept, each.number) for each in missing)
    return SynthesisEstimate(
        pictures, painted, painted * painter.passes, batch * -(-len(missing) // world), disk_bytes(pictures, size)
    )


def paint_for(painter: Painter, subject: Subject, request: Request, steps: int) -> float:
    """Seconds that a batch of so many steps takes; its pictures, which come to the CPU, are thrown away."""
    began = time.perf_counter()
    painter.paint(subject, [seed_for(request, subject, place, 0) for place in range(request.batch)], steps)
    return time.perf_counter() - began
