"""Pictures in two views beside labelled ones, among which their neighbours are looked for."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from palimpsest.core.batch import Batch
from palimpsest.core.images import WEAK, Images
from palimpsest.core.term import SUPPORTED, Source


@dataclass(frozen=True)
class Supported:
    """Pictures without labels, each in the view of the logits and in a weaker one, and labelled pictures that support them.

    Neighbours are looked for among all of the support, so that it is not for several processes, which have a part each.
    """

    queries: Source
    support: Source
    gives: ClassVar[frozenset[str]] = frozenset({SUPPORTED})
    alone: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"{self.queries.name} beside {self.support.name}"

    @property
    def real(self) -> int:
        """Real pictures of an epoch."""
        return getattr(self.queries, "real", 0)

    @property
    def exists(self) -> bool:
        return self.queries.exists and self.support.exists

    def draw(self, batch: Batch) -> Images:
        """x: N pictures of one view, N of the other, M of the support.  y: the classes of the support, int64 (M,).

        total: N of the global batch.
        """
        queries, support = self.queries.draw(batch), self.support.draw(batch)
        views = [queries.seen_by("logits").x, queries.seen_by(WEAK).x]
        return Images(torch.cat([*views, support.seen_by("logits").x]), support.y, total=queries.total)
