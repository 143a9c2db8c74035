"""A few remembered pictures of each past task."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images
from palimpsest.core.random import Address, generator
from palimpsest.core.term import IMAGES, LABELS, TRUE_NOISE
from palimpsest.sources.augment import flipped
from palimpsest.streams.pictures import Pictures, Readable, joined


@dataclass(frozen=True)
class Memory:
    """Remembered pictures, an equal share for each past task; drawn without putting back.

    tasks: the pictures of each past task, each in the random order in which they were chosen, so that a share that has
    to shrink keeps its first ones (the experience-balanced reservoir of Avalanche's replay, as in 2311.14028, B).
    """

    tasks: tuple[Pictures, ...] = ()
    flip: bool = False
    name: str = "memory"
    gives: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS, TRUE_NOISE})

    def __post_init__(self) -> None:
        object.__setattr__(self, "pictures", joined(self.tasks) if self.tasks else ())

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def exists(self) -> bool:
        return len(self) > 0

    def draw(self, batch: Batch) -> Images:
        """As many pictures as the batch has rows; all of them where the memory is smaller than that."""
        total = min(batch.size, len(self))
        x, y = self.pictures.take(batch.random(self.name).choice(len(self), total))
        x = flipped(x, batch.random(self.name, "flip").uniform(total)) if self.flip else x
        return Images(x, y, total=total)

    def after(self, task: Readable, size: int, address: Address) -> "Memory":
        """The memory of `size` pictures in all once `task` has ended; earlier tasks get what does not divide evenly."""
        count = len(self.tasks) + 1
        shares = [size // count + (place < size % count) for place in range(count)]
        chosen = torch.randperm(len(task), generator=generator(*address, "memory"))[: shares[-1]]
        kept = [past.select(torch.arange(min(n, len(past)))) for past, n in zip(self.tasks, shares, strict=False)]
        return Memory((*kept, task.select(chosen)), self.flip, self.name)
