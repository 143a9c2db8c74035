"""A few remembered pictures of the past."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images
from palimpsest.core.term import IMAGES, LABELS, TRUE_NOISE
from palimpsest.sources.augment import Augmentation, flipped, views_of
from palimpsest.streams.pictures import Pictures, joined


@dataclass(frozen=True)
class Memory:
    """Remembered pictures; drawn without putting back.

    groups: pictures that share the memory with others, those of each past task or class, each in the order in which they were
    chosen, so that a share that has to shrink keeps its first ones. `keeping` says which they are.
    flip, views: as `Data` has them.  lots: what each picture of each group drew, float (N,), where a reservoir goes by that.
    """

    groups: tuple[Pictures, ...] = ()
    lots: tuple[Tensor, ...] = ()
    flip: bool = False
    views: tuple[tuple[str, Augmentation], ...] = ()
    name: str = "memory"
    gives: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS, TRUE_NOISE})

    def __post_init__(self) -> None:
        object.__setattr__(self, "pictures", joined(self.groups) if self.groups else ())

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def exists(self) -> bool:
        return len(self) > 0

    def draw(self, batch: Batch) -> Images:
        """As many pictures as the batch has rows; all of them where the memory is smaller than that."""
        total = min(batch.size, len(self))
        x, y = self.pictures.take(batch.random(self.name).choice(len(self), total))
        views = views_of(x, total, self.views, partial(batch.random, self.name, "view"))
        x = flipped(x, batch.random(self.name, "flip").uniform(total)) if self.flip else x
        return Images(x, y, views, total=total)
