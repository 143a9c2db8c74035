"""Pictures in two views beside labelled ones, among which their neighbours are looked for."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from palimpsest.core.batch import Batch
from palimpsest.core.images import WEAK, Images
from palimpsest.core.term import SUPPORTED, Source
from palimpsest.sources.combine import rows_in


@dataclass(frozen=True)
class Supported:
    """Pictures without labels, each in the view of the logits and in a weaker one, and all labelled pictures that support them.

    They are one question, so that each row goes through the network once, whatever is asked about it: `targets.OnParts` takes
    the rows that it is about. Neighbours are looked for among all of the support, so that it is not for several processes,
    which have a part each.
    """

    queries: Source
    support: tuple[Source, ...]
    name: ClassVar[str] = "supported"
    gives: ClassVar[frozenset[str]] = frozenset({SUPPORTED})
    alone: ClassVar[bool] = True

    @property
    def sources(self) -> tuple[Source, ...]:
        """Those that there is anything of."""
        return tuple(source for source in (self.queries, *self.support) if source.exists)

    @property
    def epoch_rows(self) -> int:
        """Real pictures of an epoch."""
        return getattr(self.queries, "epoch_rows", 0)

    def counts(self, batch: Batch) -> tuple[int, int]:
        """Those of all sources; a picture in two views is one."""
        real, synthetic = zip(*(rows_in(source, batch) for source in self.sources), strict=True)
        return sum(real), sum(synthetic)

    @property
    def exists(self) -> bool:
        return bool(self.sources)

    def draw(self, batch: Batch) -> Images:
        """x: N pictures of one view, N of the other, M of each support; each kind is a part."""
        parts = {source.name: source.draw(batch).seen_by("logits") for source in self.sources if source != self.queries}
        if self.queries.exists:
            parts = {self.queries.name: both_views(self.queries.draw(batch))} | parts
        return Images(torch.cat([part.x for part in parts.values()]), parts=parts)


def both_views(drawn: Images) -> Images:
    """2N rows of N pictures: the view of the logits, and then the weaker one. total: N of the global batch."""
    return replace(drawn, x=torch.cat([drawn.seen_by(head).x for head in ("logits", WEAK)]))
