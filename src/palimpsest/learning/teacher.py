"""A learner of the past: frozen, and what it may be asked."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from palimpsest.core.errors import unknown
from palimpsest.core.term import Target
from palimpsest.diffusion.samplers import Sampler
from palimpsest.sources import Pool
from palimpsest.targets import MadeFeatures, Once, Sigmoids, Soft, TaughtFeatures, TaughtNoise, TaughtStages, both_of

WEIGHTS = ("raw", "average")


@dataclass(frozen=True)
class Teacher:
    """A frozen copy of a learner, and what it may be asked. Before a task has ended there is no learner in it.

    averaged: the same with averaged weights, where they are kept as well.
    """

    learner: nn.Module | None = None
    averaged: nn.Module | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a learner in it."""
        return self.learner is not None

    def using(self, weights: str) -> "Teacher":
        """The teacher with its "raw" or its "average" weights, which are the raw ones where no average was kept."""
        if weights not in WEIGHTS:
            raise unknown("weights", weights, WEIGHTS)
        return Teacher(self.averaged) if weights == "average" and self.averaged is not None else Teacher(self.learner)

    @property
    def noise(self) -> Target:
        """What it takes for noise."""
        return TaughtNoise(self.learner)

    @property
    def features(self) -> Target:
        """What it sees in pictures."""
        return TaughtFeatures(self.learner)

    @property
    def made(self) -> Target:
        """The features that it makes of codes."""
        return MadeFeatures(self.learner)

    @property
    def direction(self) -> Target:
        """Where what it sees in pictures points to."""
        return TaughtFeatures(self.learner, direction=True)

    @property
    def seen(self) -> tuple[Target, Target]:
        """Where its stages see something in pictures, and where its features point to; it is asked once for both."""
        once = Once(self.learner) if self.exists else None
        return TaughtStages(once), TaughtFeatures(once, direction=True)

    def sigmoids(self, classes: tuple[int, ...]) -> Target:
        """The class, and of the `classes` that it knows how likely it thinks each of them to be there, by itself."""
        return Sigmoids(self.learner, classes)

    def soft(
        self, temperature: float = 2.0, reverse: bool = False, classes: tuple[int, ...] = (), **dials: object
    ) -> Target:
        """Its soft opinion of the class, among all or among `classes`; dials as in `Soft`."""
        return Soft(self.learner, temperature, reverse, classes, **dials)

    def pool(
        self,
        classes: Sequence[int],
        count: int,
        steps: int,
        sampler: str = "ddim",
        dreaming: str = "raw",
        labelling: str = "raw",
        **dials: object,
    ) -> Pool:
        """`count` pictures of each class that it dreams and labels itself, with such weights; dials as in `Pool`."""
        both = self.using(dreaming).learner, self.using(labelling).learner
        return Pool(*both, tuple(classes), count, Sampler(sampler, steps), **dials)

    @property
    def answer(self) -> Target:
        """What it says with the head that it is named for; with both where it imagines and classifies."""
        if self.exists and (both := both_of(self.learner, self.noise, self.soft())):
            return both
        if not self.exists or self.learner.head != "logits":
            return self.noise
        return self.soft(classes=getattr(self.learner, "arrived", ()), within=True)


def frozen(learner: nn.Module, averaged: nn.Module | None = None) -> Teacher:
    """A teacher with copies of the present weights of a learner, and of those averaged, in evaluation mode."""

    def copied(network: nn.Module) -> nn.Module:
        teacher = copy.deepcopy(network).eval().requires_grad_(False)
        teacher.passes = 0  # its own from now on
        return teacher

    return Teacher(copied(learner), None if averaged is None else copied(averaged))
