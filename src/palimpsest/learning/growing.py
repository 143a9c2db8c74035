"""What a classifier begins a phase with: one more backbone, or its last layer anew."""

import copy
from dataclasses import dataclass

from palimpsest.learning.teacher import Teacher
from palimpsest.models.classifier import Classifier


@dataclass(frozen=True)
class Met:
    """A start for a phase: a teacher that has met the classes of the present task, with one more backbone for them or without.

    grown: with one more.
    """

    teacher: Teacher
    classes: tuple[int, ...]
    grown: bool

    @property
    def exists(self) -> bool:
        return self.teacher.exists

    @property
    def learner(self) -> Classifier:
        """A copy of the teacher."""
        made = copy.deepcopy(self.teacher.learner)
        made.meet(self.classes, expand=self.grown)
        return made


@dataclass(frozen=True)
class Renewed:
    """A start for a phase: a classifier as it is, but for its last layer, which begins anew.

    untrained: such a classifier with its initial weights.
    """

    teacher: Teacher
    untrained: Teacher

    @property
    def exists(self) -> bool:
        return self.teacher.exists

    @property
    def learner(self) -> Classifier:
        """A copy of the classifier."""
        made = copy.deepcopy(self.teacher.learner)
        made.network.head.load_state_dict(self.untrained.learner.network.head.state_dict())
        return made
