"""Real training pictures of the task at hand (or of all tasks so far, for the methods that may keep them)."""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images
from palimpsest.core.random import permutation
from palimpsest.core.term import IMAGES, LABELS, TRUE_NOISE
from palimpsest.sources.augment import Augmentation, flipped, views_of
from palimpsest.streams.pictures import Readable


@dataclass(frozen=True)
class Data:
    """Labelled pictures, in an order that is a new permutation by address in every epoch.

    flip: turn each picture left to right with probability ½.
    views: for a head, by name, an augmented view of its own.
    synthetic: how many of the pictures stand in for real ones, among which they are drawn.
    """

    pictures: Readable
    flip: bool = False
    name: str = "data"
    views: tuple[tuple[str, Augmentation], ...] = ()
    synthetic: int = 0
    gives: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS, TRUE_NOISE})

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def exists(self) -> bool:
        return len(self.pictures) > 0

    @property
    def epoch_rows(self) -> int:
        """Pictures of an epoch."""
        return len(self)

    def counts(self, batch: Batch) -> tuple[int, int]:
        """Rows of the global batch that are real, and synthetic: of whole epochs to the row, of a part in proportion."""
        if not self.synthetic:
            return batch.size, 0
        count, ends = len(self), (batch.start, batch.start + batch.size)
        before, after = ((2 * self.synthetic * row + count) // (2 * count) for row in ends)  # to the nearest
        return batch.size - (after - before), after - before

    def draw(self, batch: Batch) -> Images:
        """The pictures at positions start ... start + size of an endless row of shuffled epochs."""
        rows = self.rows(batch)
        x, y = self.pictures.take(rows[batch.mine])
        views = views_of(x, batch.size, self.views, partial(batch.random, self.name, "view"))
        x = flipped(x, batch.random(self.name, "flip").uniform(batch.size)) if self.flip else x
        everyone = self.pictures.labels[rows.to(y.device)] if batch.world > 1 else None
        return Images(x, y, views, total=batch.size, everyone=everyone)

    def rows(self, batch: Batch) -> Tensor:
        """Row numbers of the global batch, int64 (size,); none of no pictures."""
        if not (len(self) and batch.size):
            return torch.zeros(0, dtype=torch.int64, device=self.pictures.index_device)
        count, position, end, pieces = len(self), batch.start, batch.start + batch.size, []
        while position < end:
            epoch, first = divmod(position, count)
            last = min(count, first + end - position)
            order = permutation((*batch.address[:-1], self.name, "epoch", epoch), count, self.pictures.index_device)
            pieces.append(order[first:last])
            position += last - first
        return torch.cat(pieces)


@dataclass(frozen=True)
class Unlabelled:
    """Real pictures without their labels."""

    data: Data
    gives: ClassVar[frozenset[str]] = frozenset({IMAGES, TRUE_NOISE})

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def exists(self) -> bool:
        return self.data.exists

    @property
    def epoch_rows(self) -> int:
        """As the data's."""
        return self.data.epoch_rows

    def counts(self, batch: Batch) -> tuple[int, int]:
        """As the data's."""
        return self.data.counts(batch)

    def draw(self, batch: Batch) -> Images:
        """As the data's, but for the labels."""
        return replace(self.data.draw(batch), y=None)
