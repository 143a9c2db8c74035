"""Targets about some of the pictures that stand side by side in one question."""

from dataclasses import dataclass

import torch
from torch import Tensor

from palimpsest.core.images import Images
from palimpsest.core.term import SUPPORTED, Source, Target


@dataclass(frozen=True)
class OnParts:
    """Another target, asked about the rows of some sources alone.

    target: the other.  sources: whose pictures it is about, in this order. Its mean is over those of the first, and its labels
        are the last one's.
    """

    target: Target
    sources: tuple[Source, ...]

    @property
    def name(self) -> str:
        return f"{self.target.name} of {self.sources[-1].name}"

    @property
    def head(self) -> str:
        return self.target.head

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({SUPPORTED})

    @property
    def exists(self) -> bool:
        return self.target.exists and all(source.exists for source in self.sources)

    def answer(self, question: Images) -> Tensor:
        """As the target's, about its rows."""
        return self.target.answer(self.part(question))

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        """Of its rows; the mean over all rows is the target's mean over them."""
        part = self.part(question)
        losses = self.target.distance(self.rows(said, question), wanted, part)
        return losses * question.total / max(part.total, 1)

    def part(self, question: Images) -> Images:
        """The question that the target would be asked by itself."""
        first, last = (question.parts[self.sources[place].name] for place in (0, -1))
        return Images(self.rows(question.x, question), last.y, total=first.total)

    def rows(self, whole: Tensor, question: Images) -> Tensor:
        """Its rows of a tensor with a row for each of the question's."""
        pieces = whole.split([len(part) for part in question.parts.values()])
        by_name = dict(zip(question.parts, pieces, strict=True))
        return torch.cat([by_name[source.name] for source in self.sources])
