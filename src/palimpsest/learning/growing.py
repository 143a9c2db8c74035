"""What a classifier begins a phase with: one more backbone, or its last layer anew."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from palimpsest.learning.teacher import Teacher
from palimpsest.models.classifier import Classifier


@dataclass(frozen=True)
class Changed:
    """A start for a phase: a teacher's classifier after a change, which is made to a copy when the phase begins."""

    teacher: Teacher
    change: Callable[[Classifier], object]

    @property
    def exists(self) -> bool:
        return self.teacher.exists

    @property
    def learner(self) -> Classifier:
        """A changed copy of the teacher."""
        made = copy.deepcopy(self.teacher.learner)
        self.change(made)
        return made
