"""Pure noise, claimed to be at any noise level."""

from dataclasses import dataclass
from typing import ClassVar

from palimpsest.core.batch import Batch
from palimpsest.core.images import Noised
from palimpsest.core.term import NOISED


@dataclass(frozen=True)
class Gaussian:
    """x ~ N(0, I) at t ~ U{0 ... levels − 1}: inputs that need no data and no sampling.

    shape: of one picture, (C, H, W).  levels: noise levels of the process.
    """

    shape: tuple[int, int, int]
    levels: int
    name: str = "gaussian"
    gives: ClassVar[frozenset[str]] = frozenset({NOISED})
    exists: ClassVar[bool] = True

    def draw(self, batch: Batch) -> Noised:
        """No image was noised to get here, so there is no true noise."""
        random = batch.random(self.name)
        x_t = random.normal(batch.size, *self.shape)
        return Noised(x_t, random.integers(self.levels, batch.size), total=batch.size)
