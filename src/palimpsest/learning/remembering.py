"""What a classifier sees in pictures, where that decides what is remembered, predicted, or begun with."""

from collections.abc import Mapping, Sequence

from torch import nn

from palimpsest.learning.now import Now
from palimpsest.learning.past import Past
from palimpsest.learning.plan import Plan
from palimpsest.learning.progress import Progress
from palimpsest.models.classifier import Classifier
from palimpsest.models.predictors import nearest_mean
from palimpsest.sources import Memory
from palimpsest.streams.pictures import Pictures


def classifier_of(learners: Mapping[str, nn.Module]) -> Classifier | None:
    """The learner that is a classifier; None where there is none."""
    return next((learner for learner in learners.values() if isinstance(learner, Classifier)), None)


def greet(learners: Mapping[str, nn.Module], classes: Sequence[int]) -> None:
    """Tell classifiers that classes arrive. Nothing happens where they have arrived already."""
    for learner in learners.values():
        if isinstance(learner, Classifier):
            learner.meet(classes)


def lost(past: Past, now: Now, memory: Memory) -> list[int]:
    """The classes that were remembered or present and of which a memory has nothing; none where it keeps nothing at all."""
    if "memory" not in past.keeps or not memory.exists:
        return []
    before = [pictures.labels for pictures in (past.remembered.pictures, now.data.pictures) if len(pictures)]
    classes = {number for labels in before for number in labels.unique().tolist()}
    return sorted(classes - set(memory.pictures.labels.tolist()))


def predictors(plan: Plan, progress: Progress, remembered: Pictures | tuple) -> dict[str, nn.Module]:
    """The learners, and another predictor with what they see in the remembered pictures; that of the strategy comes first."""
    learners = progress.best
    classifier = classifier_of(learners)
    if classifier is None or progress.beside or not len(remembered):
        return learners
    other = {"nearest_mean": nearest_mean(classifier, remembered, plan.mirrors)}
    return other | learners if plan.courses[-1].predicts == "nearest_mean" else learners | other
