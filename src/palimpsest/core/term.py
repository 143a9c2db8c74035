"""The algebra: a method is a short list of terms (source × target × weight)."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Random
from palimpsest.core.schedules import SCHEDULES

# What a source can give and a target can need.
IMAGES, LABELS, TRUE_NOISE, NOISED = "images", "labels", "true noise", "noised"
FEATURES, CODES, SUPPORTED = "features", "codes", "supported"

ADVICE = {
    TRUE_NOISE: "these inputs are not noised images, so there is no true noise to predict. "
    "Give the term a teacher: past.denoiser.noise",
    LABELS: "these inputs carry no class labels. Give the term a teacher's answer, or a source that has labels: "
    "now.data, past.memory",
    IMAGES: "these inputs are already part-way to noise, and this target asks about clean pictures. "
    "Give the term a source of images: now.data, past.memory, past.dreams(...)",
    FEATURES: "these inputs are no features. Give the term a source of them: Featured(now.data, classifier), past.features(...)",
    SUPPORTED: "these inputs stand beside no labelled pictures. Give the term Supported(now.without_labels, (now.data,))",
    CODES: "these inputs are no codes, which a generator of features makes features of. Give the term past.codes()",
}


@runtime_checkable
class Source(Protocol):
    """Where inputs come from. Equal sources are one source: drawn once in a step."""

    name: str
    gives: frozenset[str]

    @property
    def exists(self) -> bool:
        """False while what it draws from is not there yet (no teacher before the first task has ended)."""

    def draw(self, batch: Batch) -> Images | Noised:
        """This process's rows of the batch."""


@runtime_checkable
class Target(Protocol):
    """What the student should say: the head that is asked, the wanted answer, the distance to it.

    It may have a `kind`, "classification", "distillation" or "margin", by which synthetic pictures count in it or do not.
    A target with the head "" asks nothing: it has `penalty(learner)`, a scalar with gradient, in place of both methods.
    """

    name: str
    head: str
    needs: frozenset[str]

    @property
    def exists(self) -> bool:
        """False while the teacher that it asks is not there yet."""

    def answer(self, question: Images | Noised) -> Tensor:
        """What should be said, (B, ...). Called without gradients."""

    def distance(self, said: Tensor, wanted: Tensor, question: Images | Noised) -> Tensor:
        """One loss per sample, (B,)."""


@runtime_checkable
class Learner(Protocol):
    """What is trained: a module that answers questions to its heads, all of them in one forward pass.

    head: the one that it is named for ("noise", "logits").  heads: all of them.
    passes: pictures that it has been asked about, a plain count on the host.
    """

    head: str
    heads: tuple[str, ...]
    passes: int

    def pose(self, head: str, drawn: Images | Noised, random: Random) -> Images | Noised:
        """What was drawn as a question to `head`: a denoiser noises images, a classifier takes them as they are."""

    def __call__(self, questions: Mapping[str, Images | Noised]) -> Mapping[str, Tensor]:
        """The answers (B, ...) by head, each float32. It must answer about no samples, too."""


@dataclass(frozen=True)
class Term:
    """Inputs from `source`, where the student should say `target`, which matters `weight`.

    every: steps of the phase from one in which it counts to the next; it counts in the first.
    """

    source: Source
    target: Target
    weight: float = 1.0
    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise RequestError(f"{self.name}: it is to count every {self.every} steps; give a number from 1.")
        if not (self.weight >= 0 and math.isfinite(self.weight)):
            raise RequestError(
                f"{self.name}: its weight is {self.weight:g}, and a weight is a number from 0; give another strength."
            )
        for need in sorted(self.target.needs - self.source.gives):
            raise RequestError(f"{self.name}: {ADVICE[need]}.")

    @property
    def name(self) -> str:
        return f"{self.source.name} × {self.target.name}"

    @property
    def parts(self) -> tuple["Term", ...]:
        """A term for each target, where there are several in one."""
        several = getattr(self.target, "parts", None)
        return (
            (self,)
            if several is None
            else tuple(replace(self, target=target, weight=self.weight * weight) for target, weight in several)
        )

    @property
    def present(self) -> bool:
        """Rule 2: a term is absent when it weighs nothing or when what it needs from the past does not exist yet."""
        return self.weight != 0 and self.source.exists and self.target.exists


@dataclass(frozen=True)
class Phase:
    """A learner and its terms; rarely, weights to start from, and parameters that stay as they are.

    learner: the name of the learner that is trained.
    start: a teacher whose weights the student takes over first; None, or one that does not exist yet, goes on from
        where the student is.
    freeze: shell patterns of parameter names that do not change in this phase ("network.conv_in.*").
    name: tells the phases of a task apart in addresses and events.
    steps, epochs: of the descent; both 0: as many as the experiment gives to the learner.
    rate: by which the experiment's learning rate is multiplied.  schedule: its own of the rate; "": as the experiment has it.
    milestones: its own, of a schedule by steps, which it then has.
    in_evaluation: the learner learns in evaluation mode: without dropout, and with the statistics of batches that it has.
    span: which part of that descent the phase is. One that does not begin at 0 goes on with the optimizer, its learning
        rate, the averaged weights and the pictures of the phase before, so that terms can change on the way.
    """

    learner: str
    terms: Sequence[Term] = field(default_factory=tuple)
    start: Any = None
    freeze: tuple[str, ...] = ()
    name: str = "train"
    steps: int = 0
    span: tuple[float, float] = (0.0, 1.0)
    epochs: int = 0
    rate: float = 1.0
    schedule: str = ""
    milestones: tuple[float, ...] = ()
    in_evaluation: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(part for term in self.terms for part in term.parts))
        first, last = self.span
        if not 0 <= first < last <= 1:
            raise RequestError(
                f'phase "{self.name}": its part of the descent goes from {first:g} to {last:g}, and such a part lies between '
                "0 and 1, the beginning before the end."
            )
        for unit, length in (("steps", self.steps), ("epochs", self.epochs)):
            if length < 0:
                raise RequestError(
                    f'phase "{self.name}" is to have {length} {unit}; give 0 (as the experiment has it) or more.'
                )
        if self.schedule not in ("", *SCHEDULES):
            raise unknown(f'schedule of the phase "{self.name}"', self.schedule, SCHEDULES)
        sources: dict[str, Source] = {}
        for term in self.terms:
            if sources.setdefault(term.source.name, term.source) != term.source:
                raise RequestError(
                    f'phase "{self.name}": two different sources are called "{term.source.name}", so they would draw '
                    "the same random numbers; give one of them another name."
                )

    @property
    def present(self) -> list[Term]:
        """The terms that take part."""
        return [term for term in self.terms if term.present]

    @property
    def goes_on(self) -> bool:
        """Whether it goes on with the descent of the phase before."""
        return self.span[0] > 0

    @property
    def ends_descent(self) -> bool:
        """Whether no other phase goes on with its descent."""
        return self.span[1] == 1


Strategy = Callable[..., Phase | Iterator[Phase]]
