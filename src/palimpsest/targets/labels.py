"""Targets of the head `logits`: the class, or a teacher's soft opinion of it."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.core.term import IMAGES, LABELS
from palimpsest.models.classifier import only

LEAST = -100.0  # ln p of a class that a teacher does not know; −∞ would be no number where it is weighed


@dataclass(frozen=True)
class Label:
    """The class number, or the probabilities of all classes: cross-entropy.

    classes: among which it is; none given: all. Labels that are probabilities need all.
    """

    classes: tuple[int, ...] = ()
    name: ClassVar[str] = "label"
    head: ClassVar[str] = "logits"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS})
    exists: ClassVar[bool] = True

    def answer(self, question: Images) -> Tensor:
        return question.y

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        return functional.cross_entropy(only(said, self.classes) if self.classes else said, wanted, reduction="none")


@dataclass(frozen=True)
class Soft:
    """A teacher's probabilities at temperature T (Hinton et al. 2015), p = softmax(z_teacher / T), q = softmax(z_θ / T).

    T² Σ p ln(p/q), which is the soft cross-entropy −T² Σ p ln q of the papers less what the student cannot change, and 0 where
    both agree. Reversed −T² Σ q ln p, whose least value is where all of q lies on the teacher's likeliest class.

    teacher: a learner with the head `logits`; None before there is one.
    classes: those that the teacher knows, which alone have a probability; none given: all.
    """

    teacher: nn.Module | None
    temperature: float = 2.0
    reverse: bool = False
    classes: tuple[int, ...] = ()
    name: str = "teacher.soft"
    head: ClassVar[str] = "logits"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES})

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise RequestError(f"the temperature of soft opinions is {self.temperature:g}, and it is a number above 0.")

    @property
    def exists(self) -> bool:
        return self.teacher is not None

    def answer(self, question: Images) -> Tensor:
        """ln p, float (B, classes)."""
        logits = self.teacher({"logits": question})["logits"] / self.temperature
        if not self.classes:
            return logits.log_softmax(-1)
        return only(logits, self.classes).log_softmax(-1).clamp(min=LEAST)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        said = (said / self.temperature).log_softmax(-1)
        parts = -said.exp() * wanted if self.reverse else wanted.exp() * (wanted - said)
        return self.temperature**2 * parts.sum(-1)


label = Label()
