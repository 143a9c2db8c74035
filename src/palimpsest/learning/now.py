"""The present task, as a strategy may look at it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.images import WEAK
from palimpsest.core.term import Target
from palimpsest.learning.growing import Changed
from palimpsest.learning.imprinting import Imprinted
from palimpsest.learning.teacher import Teacher
from palimpsest.sources import Data, Gaussian, Memory, Unlabelled
from palimpsest.sources.augment import Augmentation
from palimpsest.targets import both_of, label, true_noise

TRUTH: Mapping[str, Target] = {"noise": true_noise, "logits": label}


@dataclass(frozen=True)
class Now:
    """The present task.

    k: its number among all that the model has learnt, from 1.  learner: the name of the learner that the experiment
    trains.  learners: all learners by name, live.  build: makes one with its initial weights.
    data: its labelled pictures.  unlabelled: all its pictures, without labels; None where all have one.
    chosen: what is to be remembered when it ends, by the classifier in whose features that was chosen.
    """

    k: int
    classes: tuple[int, ...]
    data: Data
    learner: str
    learners: Mapping[str, nn.Module]
    build: Callable[[str], nn.Module] | None = None
    unlabelled: Unlabelled | None = None
    chosen: dict[nn.Module, Memory] = field(default_factory=dict, compare=False, repr=False)

    @property
    def without_labels(self) -> Unlabelled:
        """All its pictures without labels, also where all of them have one."""
        return self.unlabelled or Unlabelled(replace(self.data, name="unlabelled"))

    @property
    def views(self) -> tuple[tuple[str, Augmentation], ...]:
        """How pictures are shown whose classes are all known: the stronger view, where that of few labels is a weaker one."""
        shown = self.data if self.unlabelled is None else self.unlabelled.data
        return tuple((head, view) for head, view in shown.views if head != WEAK)

    def close(self) -> None:
        """The task has ended, and nobody may read its pictures any more."""
        self.data.pictures.close()
        if self.unlabelled is not None:
            self.unlabelled.data.pictures.close()

    def untrained(self, learner: str) -> "Teacher":
        """A learner with its initial weights, to start a phase with."""
        return Teacher(self.build(learner))

    def imprinted(self, learner: str, before: tuple[int, ...]) -> Imprinted:
        """A cosine classifier whose rows of the new classes point to where their pictures lie, to start a phase with."""
        new = tuple(number for number in self.classes if number not in before)
        return Imprinted(self.learners[learner], self.data, before, new)

    def met_by(self, teacher: "Teacher", grown: bool = False) -> Changed:
        """A teacher that has met the task's classes, to start a phase with. grown: with one more backbone for them."""
        return Changed(teacher, lambda made: made.meet(self.classes, expand=grown))

    def renewed(self, learner: str, teacher: "Teacher") -> Changed:
        """A teacher whose last layer is as it was before anything was learnt, to start a phase with."""

        def renew(made: nn.Module) -> None:
            made.network.head.load_state_dict(self.build(learner).network.head.state_dict())

        return Changed(teacher, renew)

    @property
    def new(self) -> float:
        """1/k, what the new task weighs."""
        return 1 / self.k

    @property
    def old(self) -> float:
        """1 − 1/k, what all the old ones weigh together."""
        return 1 - 1 / self.k

    @property
    def truth(self) -> Target:
        """What the experiment's learner should say about real data: the true noise, the label, or both where it imagines and classifies."""
        if self.learner not in self.learners:
            raise RequestError(
                f"now.truth is what the experiment's learner should say, the {self.learner}, and the strategy trains {', '.join(self.learners)}; "
                f'declare it with learners=("{self.learner}",), or "any" for whatever an experiment trains, or take an experiment of the other.'
            )
        learner = self.learners[self.learner]
        return both_of(learner, true_noise, label) or TRUTH[learner.head]

    @property
    def gaussian(self) -> Gaussian:
        """Pure noise at any noise level."""
        denoiser = self.learners["denoiser"]
        return Gaussian(denoiser.shape, denoiser.process.steps)
