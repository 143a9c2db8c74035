"""Targets of the head `logits`: the class, or a teacher's soft opinion of it."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.images import Images
from palimpsest.core.term import IMAGES, LABELS


@dataclass(frozen=True)
class Label:
    """The class number: cross-entropy."""

    name: ClassVar[str] = "label"
    head: ClassVar[str] = "logits"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS})
    exists: ClassVar[bool] = True

    def answer(self, question: Images) -> Tensor:
        return question.y

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        return functional.cross_entropy(said, wanted, reduction="none")


@dataclass(frozen=True)
class Soft:
    """A teacher's probabilities at temperature T: −T² Σ softmax(z_teacher / T) · ln softmax(z_θ / T) (Hinton et al. 2015).

    teacher: a learner with the head `logits`; None before there is one.
    """

    teacher: nn.Module | None
    temperature: float = 2.0
    name: str = "teacher.soft"
    head: ClassVar[str] = "logits"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES})

    @property
    def exists(self) -> bool:
        return self.teacher is not None

    def answer(self, question: Images) -> Tensor:
        return (self.teacher({"logits": question})["logits"] / self.temperature).softmax(-1)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        said = (said / self.temperature).log_softmax(-1)
        return -(self.temperature**2) * (wanted * said).sum(-1)


label = Label()
