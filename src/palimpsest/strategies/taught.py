"""What a joint model learns of pictures that somebody teaches it about. No strategy, but parts of two."""

from dataclasses import dataclass

from palimpsest.core.term import Target, Term
from palimpsest.sources import Part
from palimpsest.targets import label, true_noise

HEADS = ("noise", "classes")  # what a teacher has a say about


def weight_of_class(now, alpha: float, apart: float) -> float:
    """What the class matters: alpha beside the noise, and `apart` to a network that no noise stands beside."""
    return apart if now.learners["joint"].apart else alpha


@dataclass(frozen=True)
class Taught:
    """Pictures that fill a part of a batch, what a teacher says of them, if there is one, and what that weighs."""

    source: Part
    noise: Target | None = None
    opinion: Target | None = None
    weight: float = 0.0

    @property
    def share(self) -> float:
        """Of a batch."""
        return self.source.last - self.source.first

    def of_noise(self, truth: float, distil: bool) -> list[Term]:
        """Terms about the noise."""
        taught = [Term(self.source, self.noise, self.weight)] if distil and self.noise else []
        return [*taught, Term(self.source, true_noise, truth * self.share)]

    def of_classes(self, truth: float, alpha: float, distil: bool) -> list[Term]:
        """Terms about the class."""
        taught = [Term(self.source, self.opinion, alpha * self.weight)] if distil and self.opinion else []
        return [*taught, Term(self.source, label, alpha * truth * self.share)]
