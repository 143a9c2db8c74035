"""Targets that leave synthetic pictures out."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from palimpsest.core.images import Images
from palimpsest.core.term import Target


@dataclass(frozen=True)
class OnReal:
    """Another target, in whose mean synthetic pictures do not count.

    target: the other. What it answers is asked of all rows.
    """

    target: Target

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def head(self) -> str:
        return self.target.head

    @property
    def needs(self) -> frozenset[str]:
        return self.target.needs

    @property
    def exists(self) -> bool:
        return self.target.exists

    def answer(self, question: Images) -> Tensor:
        """As the target's."""
        return self.target.answer(question)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        """(B,), 0 for synthetic pictures; the mean over all rows is the target's mean over real ones."""
        real = question.only_real
        losses = self.target.distance(said[: len(real)], wanted[: len(real)], real)
        return functional.pad(losses, (0, question.synthetic)) * question.total / max(real.total, 1)
