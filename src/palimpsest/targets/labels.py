"""Targets of the head `logits`: the class, or a teacher's soft opinion of it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.images import WEAK, Images
from palimpsest.core.modes import evaluating
from palimpsest.core.term import FEATURES, IMAGES, LABELS
from palimpsest.models.classifier import only
from palimpsest.targets.balance import Balance

UNSURE = -100  # in place of a class number
LEAST = (
    -100.0
)  # ln p of a class that a teacher does not know, and never less; −∞ would be no number where it is weighed


def needs_of(head: str) -> frozenset[str]:
    """What a label needs that a head is asked for: pictures, or features where the head judges those."""
    return frozenset({FEATURES if head.startswith("judged") else IMAGES, LABELS})


@dataclass(frozen=True)
class Label:
    """The class number, or the probabilities of all classes: cross-entropy CE(y, z / (T w)).

    classes: among which it is; none given: all. Labels that are probabilities need all.
    head: "logits", of pictures, or "judged", of features.
    temperature: T, above 0.  balance: w, what classes weigh (Wang et al. 2022, FOSTER: boosting); None: all alike.
    """

    classes: tuple[int, ...] = ()
    head: str = "logits"
    temperature: float = 1.0
    balance: Balance | None = None
    exists: ClassVar[bool] = True
    kind: ClassVar[str] = "classification"

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise RequestError(f"the temperature of labels is {self.temperature:g}, and it is a number above 0.")

    @property
    def name(self) -> str:
        return "label" if self.balance is None else "balanced label"

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.head)

    def answer(self, question: Images) -> Tensor:
        return question.y

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        said = only(said, self.classes) if self.classes else said
        said = said if self.temperature == 1 else said / self.temperature
        said = said if self.balance is None else said / self.balance.over(said.shape[-1], said.device)
        return functional.cross_entropy(said, wanted, reduction="none")


@dataclass(frozen=True)
class Soft:
    """A teacher's probabilities at temperature T (Hinton et al. 2015), p = softmax(z_teacher / T), q = softmax(z_θ / T).

    T² Σ p ln(p/q), which is the soft cross-entropy −T² Σ p ln q of the papers less what the student cannot change, and 0 where
    both agree. Reversed −T² Σ q ln p, whose least value is where all of q lies on the teacher's likeliest class.

    teacher: a learner with the head `logits`; None before there is one.
    classes: those that the teacher knows, which alone have a probability; none given: all.
    within: the student's opinion is one among these classes, too, and not among all that it knows.
    balance: p is multiplied by what classes weigh, and made to sum to 1 again (Wang et al. 2022, FOSTER: compression).
    """

    teacher: nn.Module | None
    temperature: float = 2.0
    reverse: bool = False
    classes: tuple[int, ...] = ()
    within: bool = False
    name: str = "teacher.soft"
    balance: Balance | None = None
    head: ClassVar[str] = "logits"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES})
    kind: ClassVar[str] = "distillation"

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise RequestError(f"the temperature of soft opinions is {self.temperature:g}, and it is a number above 0.")

    @property
    def exists(self) -> bool:
        return self.teacher is not None

    def answer(self, question: Images) -> Tensor:
        """ln p, float (B, classes)."""
        logits = self.teacher({"logits": question})["logits"] / self.temperature
        logits = only(logits, self.classes) if self.classes else logits
        if self.balance is not None:
            logits = logits + self.balance.over(logits.shape[-1], logits.device).log()
        return logits.log_softmax(-1).clamp(min=LEAST)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        said = only(said, self.classes) if self.within and self.classes else said
        said = (said / self.temperature).log_softmax(-1)
        parts = -said.exp() * wanted if self.reverse else wanted.exp() * (wanted - said)
        parts = parts.masked_fill(said.isneginf(), 0.0)  # what neither knows: 0 · ∞
        return self.temperature**2 * parts.sum(-1)


@dataclass(frozen=True)
class Confident:
    """The class that the learner itself is sure of in a weaker view of the picture; nothing where it is not sure.

    FixMatch (Sohn et al. 2020, arXiv 2001.07685, eq. 4): 1(max p ≥ τ) · CE(argmax p, f_θ), the mean over all pictures, sure or not.

    learner: that is being trained.  threshold: τ, from 0 to 1.
    """

    learner: nn.Module
    threshold: float = 0.95
    name: ClassVar[str] = "confident"
    head: ClassVar[str] = "logits"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES})
    exists: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise RequestError(f"the threshold of confidence is {self.threshold:g}, and it goes from 0 to 1.")

    def answer(self, question: Images) -> Tensor:
        """Class numbers int64 (B,), UNSURE where it is not sure. In evaluation mode: without dropout."""
        learner, passes = self.learner, self.learner.passes
        with evaluating(learner):
            sure, found = learner.logits(question.seen_by(WEAK).x).softmax(-1).max(-1)
        learner.passes = (
            passes + (learner.passes - passes) / 3
        )  # a forward alone, of a student whose passes count three
        return torch.where(sure >= self.threshold, found, UNSURE)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        return functional.cross_entropy(said, wanted, reduction="none", ignore_index=UNSURE)


label = Label()
judged = Label(head="judged")
