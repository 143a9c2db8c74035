"""A step of a classifier whose classes arrive one after another, as its strategy finds it."""

from dataclasses import dataclass

import torch
from torch import nn

from palimpsest.learning.now import Now
from palimpsest.learning.past import Past
from palimpsest.learning.teacher import frozen
from palimpsest.models.classifier import build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.sources import Data
from palimpsest.sources.augment import Augmentation
from palimpsest.strategies import catalog
from palimpsest.streams.pictures import Pictures

FORMS = {
    "lucir": {"cosine": True},
    "podnet": {"cosine": True, "proxies": 2},
    "foster": {"rooms": 2},
    "der_expand": {"rooms": 2},
}


@dataclass
class Step:
    """The second task of so many old and new classes, with two or more random pictures of each new one and nothing remembered.

    learner: has met them. The past's teacher is as it was before.
    """

    name: str
    old: int
    new: int
    each: int = 2

    def __post_init__(self) -> None:
        function, names = catalog.load(self.name), [""] * (self.old + self.new)
        options = ClassifierOptions(network="resnet8", head="growing")
        learner = build_classifier(options, (1, 8, 8), names, 0, **FORMS.get(self.name, {}))
        learner.meet(range(self.old))
        before, classes = frozen(learner), tuple(range(self.old, self.old + self.new))
        learner.meet(classes, expand=False)
        labels = torch.tensor(classes).repeat(self.each)
        pixels = torch.randint(256, (len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(0))
        data = Data(Pictures(pixels.to(torch.uint8), labels), views=(("logits", Augmentation(("padded_crop 4",))),))
        (role,) = function.learners
        teachers = {role: before} if "teacher" in function.keeps else {}
        past = Past(function.keeps, learners=(role,), teachers=teachers, classes=tuple(range(self.old)), count=1)
        self.function, self.learner, self.past = function, learner, past
        self.now = Now(2, classes, data, role, {role: learner})

    def phases(self, **options: object):
        """What the strategy asks for: a phase, or a generator of phases."""
        return self.function(self.now, self.past, **options)

    @property
    def teacher(self) -> nn.Module:
        """The classifier before the task."""
        (teacher,) = self.past.teachers.values()
        return teacher.learner
