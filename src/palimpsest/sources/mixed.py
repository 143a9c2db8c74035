"""Real pictures, and in a part of each batch synthetic ones of past classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images, Views
from palimpsest.core.term import IMAGES, LABELS, TRUE_NOISE
from palimpsest.sources.data import Data


@dataclass(frozen=True)
class Mixed:
    """A body of training data, the rows of whose batches are real first, and synthetic after those.

    share: of each batch that is synthetic.  added: they come on top of a batch of real ones.
    whole_epochs: an epoch has all real pictures in it, and so more steps where the batch is split.
    """

    data: Data
    synthetic: Data
    share: float = 0.5
    added: bool = False
    whole_epochs: bool = True
    gives: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS, TRUE_NOISE})

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def exists(self) -> bool:
        return self.data.exists

    @property
    def epoch_rows(self) -> int:
        """Rows of an epoch, real and synthetic ones where they share a batch."""
        split = self.whole_epochs and not self.added
        return ceil(self.data.epoch_rows / (1 - self.share)) if split else self.data.epoch_rows

    def counts(self, batch: Batch) -> tuple[int, int]:
        """Rows of the global batch that are real, and synthetic."""
        real, synthetic = self.split(batch)
        return real.size, synthetic.size

    def split(self, batch: Batch) -> tuple[Batch, Batch]:
        """The batch of real pictures, and that of synthetic ones.

        Rows are counted from the first epoch on, so that every real picture comes once in each, whatever has to be rounded.
        """
        if self.added:
            return batch, self.added_to(batch)
        first, last = (self.real_rows_before(row) for row in (batch.start, batch.start + batch.size))
        parts = (last - first, first, 1 - self.share), (batch.size - last + first, batch.start - first, self.share)
        return tuple(part_of(batch, *part) for part in parts)

    def added_to(self, batch: Batch) -> Batch:
        """The synthetic pictures that are added to a batch of real ones, counted on from those of the batches before it."""
        ratio = self.share / (1 - self.share)
        first, last = (int(ratio * row + 0.5) for row in (batch.start, batch.start + batch.size))
        return part_of(batch, last - first, first, ratio)

    def real_rows_before(self, row: int) -> int:
        """How many of the rows before this one are real."""
        epoch, place = divmod(row, ceil(self.data.epoch_rows / (1 - self.share)))
        return epoch * self.data.epoch_rows + min(round(place * (1 - self.share)), self.data.epoch_rows)

    def draw(self, batch: Batch) -> Images:
        """This process's rows of both."""
        real, synthetic = (
            source.draw(part) for source, part in zip((self.data, self.synthetic), self.split(batch), strict=True)
        )
        parts = (real, synthetic)
        return Images(
            torch.cat([part.x for part in parts]),
            torch.cat([part.y for part in parts]),
            Views({head: partial(seen_together, parts, head) for head in (*real.views, *synthetic.views)}),
            total=real.total + synthetic.total,
            everyone=None if real.everyone is None else torch.cat([part.everyone for part in parts]),
            synthetic=len(synthetic),
            synthetic_total=synthetic.total,
        )


def part_of(batch: Batch, size: int, start: int, share: float) -> Batch:
    """So many rows, a share of a batch but for rounding, as a batch of their own."""
    return replace(batch, size=size, start=start, whole=max(ceil(batch.rows * share), size), epoch=0)


def seen_together(parts: Sequence[Images], head: str) -> Tensor:
    """What a head is shown of all parts."""
    return torch.cat([part.seen_by(head).x for part in parts])
