"""Sources made of sources."""

from dataclasses import dataclass, replace

from torch import Tensor

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images
from palimpsest.core.term import Source
from palimpsest.sources.data import Data
from palimpsest.streams.pictures import Readable, joined


def union(data: Data, past: Readable) -> Data:
    """The task's pictures together with those of the past, as one body of real training data.

    It keeps the name, the flip and the views of `data`: all real training data draw under one name, so that on the first task,
    where there is no past, this is `data` itself.
    """
    return replace(data, pictures=joined((past, data.pictures))) if len(past) else data


def counts_of(labels: Tensor) -> dict[int, int]:
    """How many there are of each class, by its number, of labels int64 (N,). Asks the device."""
    numbers, counts = labels.unique(return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def rows_in(source: Source, batch: Batch) -> tuple[int, int]:
    """Rows of training data that a source has in the global batch: real ones, and those that stand in for real ones.

    A source that is made of others looks into them. What has no such rows, as replay of any kind, has no `counts`.
    """
    return source.counts(batch) if hasattr(source, "counts") else (0, 0)


@dataclass(frozen=True)
class Part:
    """A source of pictures that fills a part of each batch only: the rows between two shares of it, from 0 to 1."""

    source: Source
    first: float
    last: float

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def epoch_rows(self) -> int:
        """Real pictures of an epoch."""
        return getattr(self.source, "epoch_rows", 0)

    def counts(self, batch: Batch) -> tuple[int, int]:
        """As the source's, of the part's rows."""
        return rows_in(self.source, batch.part(self.first, self.last))

    @property
    def gives(self) -> frozenset[str]:
        return self.source.gives

    @property
    def exists(self) -> bool:
        return self.source.exists and self.last > self.first

    @property
    def is_synthetic(self) -> bool:
        return getattr(self.source, "is_synthetic", False)

    @property
    def classes(self) -> tuple[int, ...]:
        """Those that it is to have, where it is for some alone."""
        return getattr(self.source, "classes", ())

    def draw(self, batch: Batch) -> Images:
        """This process's share of the part's rows."""
        part = batch.part(self.first, self.last)
        return replace(self.source.draw(part), whole=part.rows)

    def pictures(self, batch: Batch) -> Images:
        """As the source's."""
        return self.source.pictures(batch)
