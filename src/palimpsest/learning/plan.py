"""What does not change in a run, and what the loop over tasks needs of whoever writes it down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import nn

from palimpsest.core.term import Phase
from palimpsest.learning.course import Course
from palimpsest.learning.options import TrainingOptions
from palimpsest.learning.train import Journal, rows_an_epoch
from palimpsest.learning.work import Descent
from palimpsest.sources import Pool
from palimpsest.sources.augment import Augmentation
from palimpsest.sources.guarded import Leak
from palimpsest.streams.stream import Stream, Task


class Run(Journal, Protocol):
    """What the loop needs of a run directory."""

    def begin(self, phase: Phase) -> None:
        """A phase begins, or goes on after an interruption."""

    def end(self, phase: Phase) -> None:
        """A phase is over, its learner as it has become."""

    def begin_dreams(self, pool: Pool) -> None:
        """A pool is going to be filled, or goes on being filled."""

    def after_dreams(self, pool: Pool) -> None:
        """A batch has been dreamt for a pool."""

    def end_dreams(self, pool: Pool) -> None:
        """The pool is complete."""

    def warn(self, sentence: str) -> None:
        """A warning, to the log and to the person."""

    def save(self) -> None:
        """Write a checkpoint of the progress."""

    def measure(self, task: Task, learners: Mapping[str, nn.Module]) -> None:
        """Take the measures of a task that has been learnt."""


@dataclass(frozen=True)
class Plan:
    """What does not change in a run.

    courses: the strategy, and before it the one for the learner that is trained beside its own, if there is one.
    training: how each learner descends, by name.  build: makes a learner by name, with its initial weights.
    views: augmented views of real pictures, by head; "strong" is that of the logits where a picture has no label.
    lengths: steps of each phase by learner, 0 where it is not named, in place of all that is asked for: to probe what a
        step costs.
    """

    stream: Stream
    courses: Sequence[Course]
    training: Mapping[str, TrainingOptions]
    flip: bool
    seed: int
    build: Callable[[str], nn.Module] | None = None
    views: Mapping[str, Augmentation] = field(default_factory=dict)
    lengths: Mapping[str, int] | None = None

    @property
    def mirrors(self) -> bool:
        """Whether a classifier learns from mirror images, too."""
        view = self.views.get("logits")
        return self.flip if view is None else "flip" in view.words

    @property
    def leak(self) -> Leak | None:
        """Where synthetic pictures are noted that should not have been drawn; None where there are none."""
        mixing = self.courses[-1].mixing
        return None if mixing is None else mixing.leak

    def descent(self, phase: Phase) -> Descent:
        """How a phase descends."""
        options = self.training[phase.learner]
        if self.lengths is None:
            return Descent.of(phase, options, rows_an_epoch(phase))
        steps = self.lengths.get(phase.learner, 0)
        return Descent(options.model_copy(update={"steps": steps, "epochs": 0}), 0, steps, steps)

    def amounts(self, phase: Phase) -> list[int]:
        """How much training such a phase has in each task, next to the others: of epochs, by the pictures that arrive.

        What a task remembers is not told apart from task to task; a first task of half of all classes is by far the longest.
        """
        by_steps = self.descent(phase).options.steps > 0
        return [1 if by_steps else len(task.train) for task in self.stream]
