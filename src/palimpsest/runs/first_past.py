"""What is behind the first task of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.learning.course import Course
from palimpsest.learning.past import Past
from palimpsest.learning.teacher import frozen
from palimpsest.runs.config import Experiment
from palimpsest.sources import Keeping, Memory


def first_past(
    courses: Sequence[Course], experiment: Experiment, learners: tuple[str, ...], teachers: Mapping[str, nn.Module]
) -> Past:
    """What is behind the first task: nothing, or a model that is taught on, which counts as one task."""
    options = {course.name: experiment.all_options_of(course.name) for course in courses}
    keepings = {c.name: keeping_of(options[c.name]) for c in courses if "memory" in c.keeps}
    if len(set(keepings.values())) > 1:
        both = " and ".join(f"{name} {kept.size or kept.per_class}" for name, kept in keepings.items())
        raise RequestError(
            f"one memory serves the strategy and the classifier beside it; give both one memory_size, not {both}."
        )
    keeping = next(iter(keepings.values()), Keeping())
    memory = Memory(flip=experiment.stream.flip)
    keeps = frozenset().union(*(course.keeps for course in courses))
    past = Past(
        keeps, experiment.learner, learners, keeping, experiment.seed, remembered=memory, count=1 if teachers else 0
    )
    past = replace(past, fisher_samples=options[courses[-1].name].get("fisher_samples", 0))
    if past.importance_is_kept and past.fisher_samples < 1:
        raise RequestError(f"fisher_samples is {past.fisher_samples}, and importance is measured on 1 picture or more.")
    if "teacher" not in keeps:
        return past
    return replace(past, teachers={name: frozen(learner) for name, learner in teachers.items()})


def keeping_of(options: Mapping[str, object]) -> Keeping:
    """How a strategy's options say that pictures are kept."""
    return Keeping(options["memory_size"], options.get("per_class", 0), options.get("selection", "by_task"))
