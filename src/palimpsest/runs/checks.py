"""What can be known to be wrong before a run begins."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import nn

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.files import megabytes
from palimpsest.core.images import WEAK
from palimpsest.core.term import Phase, Term
from palimpsest.core.words import counted
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.learning.devices import Machine
from palimpsest.learning.options import TrainingOptions
from palimpsest.learning.past import Past
from palimpsest.learning.plan import Plan
from palimpsest.learning.progress import Progress
from palimpsest.learning.remembering import classifier_of
from palimpsest.runs.config import Experiment
from palimpsest.sources import Data, Part, Pool, Supported, Unlabelled
from palimpsest.sources.ahead import FLOAT
from palimpsest.sources.augment import Augmentation
from palimpsest.streams.stream import Stream
from palimpsest.targets import Confident, Neighbours


def check_memory(plan: Plan, progress: Progress, past: Past) -> None:
    """Refuse a memory in which a class would be missing, one that is chosen by what nobody sees, and no memory where it predicts."""
    keeping = past.keeping
    keeping.check(len(plan.stream.learnt(len(plan.stream))))
    if keeping.herds and classifier_of(progress.learners) is None:
        raise RequestError(
            f"pictures are to be chosen by herding, in the features of a classifier, and what is trained is the {', '.join(progress.learners)}; "
            "legal for selection: by_task, random, reservoir."
        )
    if plan.courses[-1].predicts == "nearest_mean" and not (keeping.size or keeping.per_class):
        raise RequestError(
            f"{plan.courses[-1].name} predicts by the mean of remembered pictures, and memory_size and per_class are both 0; set one of them."
        )


def check_untold(experiment: Experiment, learners: Sequence[str], given: Denoiser | None) -> None:
    """Refuse to leave classes untold where nobody is told of any, or where the given model has no embedding for that."""
    if not experiment.diffusion.untold:
        return
    if "conditional_denoiser" not in learners:
        raise RequestError(
            f"diffusion.untold is {experiment.diffusion.untold:g}, and the {learners[-1]} is not told of classes; leave it at 0."
        )
    if given and given.null is None:
        raise RequestError(
            f"diffusion.untold is {experiment.diffusion.untold:g}, and the model in {experiment.model} has no embedding for no "
            "class; leave it at 0."
        )


def check_alone(term: Term, machine: Machine) -> None:
    """Refuse, among several processes, a source that has to be drawn by one."""
    if machine.world > 1 and getattr(term.source, "alone", False):
        raise RequestError(f"{term.name} is not for several processes; start one, without torchrun.")


def check_quota(term: Term, machine: Machine) -> None:
    """Refuse a pool of more dreams than the device has memory for."""
    source = term.source.source if isinstance(term.source, Part) else term.source
    if not isinstance(source, Pool):
        return
    size = source.wanted * (math.prod(source.dreamer.shape) + FLOAT * source.said)  # pixels and opinions
    if size > machine.memory:
        raise RequestError(
            f"{source.name}: {source.count:,} pictures of each of {len(source.classes)} classes take {megabytes(size)}, and the "
            f"{machine.device.type} has {megabytes(machine.memory)}; lower per_class."
        )


def check_classes(stream: Stream, strategy: str, learners: Iterable[nn.Module]) -> None:
    """Refuse to learn classes from a stream that has a single one, as a folder of loose pictures has."""
    known = {number for task in stream for number in task.classes} | set(stream.before)
    if len(known) == 1 and any("logits" in learner.heads for learner in learners):
        raise RequestError(
            f"strategy {strategy} learns classes, and all pictures of {stream.name} are of one; give labels: one folder a class, or "
            "a label column."
        )


def check_weights(training: Mapping[str, TrainingOptions], keeps: Collection[str], strategy: str) -> None:
    """Refuse to choose the weights of teachers twice."""
    if "average" in keeps and any(options.teacher_weights == "average" for options in training.values()):
        raise RequestError(
            f'training.teacher_weights is "average", and strategy {strategy} says itself which weights dream, label and teach; leave it '
            'at "raw".'
        )


def check_views(views: Iterable[Augmentation], shape: tuple[int, int, int]) -> None:
    """Refuse an augmentation that does not fit pictures of this shape (C, H, W)."""
    for view in views:
        view(torch.zeros(1, *shape), 1, Batch(1, address=("check", 0)).random)


def check_rows(term: Term, batch: Batch) -> None:
    """Refuse a part of the batch in which there is not a single row."""
    source = term.source
    if isinstance(source, Part) and not batch.part(source.first, source.last).size:
        raise RequestError(
            f"{term.name}: of a batch of {batch.size}, its share of {source.last - source.first:.3g} is no row at all; raise "
            "training.batch."
        )


def doubt_of_length(phase: Phase, steps: int) -> str:
    """What to say of a phase that hardly learns; "" where there is nothing to say."""
    if steps > 1:
        return ""
    return (
        f"the {phase.learner} learns for {counted(steps, 'step')} in a phase, which is hardly anything: the experiment is made for another learner, or its "
        "number of steps is to be set"
    )


INSIDE = ((Supported, "queries"), (Part, "source"), (Unlabelled, "data"))


def doubt_of_views(term: Term) -> str:
    """What to say of a term that compares two views of a picture where both are the same; "" where there is nothing to say."""
    source, target = term.source, getattr(term.target, "target", term.target)
    for wrapper, name in INSIDE:
        source = getattr(source, name) if isinstance(source, wrapper) else source
    if not (isinstance(target, Confident | Neighbours) and isinstance(source, Data) and shows_twice_the_same(source)):
        return ""
    key = "strong" if WEAK in dict(source.views) else "logits"
    return (
        f"{term.name} compares two views of a picture, and no augmentation makes one differ from the other, so that there is nothing "
        f'to learn from it; set augmentation.{key}, for instance to ["flip", "padded_crop 1"]'
    )


def shows_twice_the_same(data: Data) -> bool:
    """Whether the view of the logits and the weaker one are the same; a view without an augmentation is that of all heads."""
    strong, weak = (dict(data.views).get(head) for head in ("logits", WEAK))
    return strong is weak is None or not any(data.flip if view is None else view.words for view in (strong, weak))
