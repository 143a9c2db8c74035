"""A classifier of several backbones begins a phase."""

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
