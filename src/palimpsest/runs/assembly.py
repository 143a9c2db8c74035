"""From an experiment to the things that a run is made of. Nothing is written here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.term import Strategy
from palimpsest.diffusion.process import make_process
from palimpsest.diffusion.schedulers import export_scheduler
from palimpsest.learning.continual import STRONG
from palimpsest.learning.course import Course
from palimpsest.learning.devices import Machine, ahead_for, find_machine
from palimpsest.learning.past import Past
from palimpsest.learning.plan import Plan
from palimpsest.learning.progress import Progress
from palimpsest.learning.teacher import frozen
from palimpsest.models.options import CLASSIFIERS
from palimpsest.models.pipelines import Pipeline, open_pipeline
from palimpsest.runs.checks import (
    check_classes,
    check_untold,
    check_views,
    check_weights,
)
from palimpsest.runs.config import Experiment, strategy_beside
from palimpsest.runs.growing import taught_new_classes
from palimpsest.runs.learners import BUILDERS, build_learner, build_learners
from palimpsest.runs.rehearsal import rehearse
from palimpsest.runs.synthetic import mixing_of
from palimpsest.runs.trackers import check_tracker
from palimpsest.runs.weighing import check_step
from palimpsest.sources import Keeping, Memory
from palimpsest.sources.augment import Augmentation
from palimpsest.strategies import catalog
from palimpsest.strategies.declare import ANY
from palimpsest.streams.labels import with_labels
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.stream import Stream


@dataclass(frozen=True)
class Assembly:
    """An experiment, and the things that it describes. step_bytes: that a step takes at the least."""

    experiment: Experiment
    machine: Machine
    stream: Stream
    plan: Plan
    progress: Progress
    pipeline: Pipeline
    step_bytes: int = 0

    @property
    def remembers(self) -> tuple[str, ...]:
        """What the strategy keeps of the past."""
        return tuple(sorted(self.plan.courses[-1].keeps))


KINDS = {False: "denoiser", True: "conditional_denoiser"}  # by whether it is told of classes
TEACHING = {"denoiser": "generative_distillation", "conditional_denoiser": "conditional_generative_distillation"}


def assemble(
    experiment: Experiment, stream: Stream | None = None, strategy: Strategy | None = None, draw: bool = True
) -> Assembly:
    """Everything that a run needs, checked before anything is written but, in the cache, pictures that a model is to draw.

    stream, strategy: to be used in place of those that the experiment names.  draw: False lets no model draw.
    """
    check_tracker(experiment.engine.tracker)
    if experiment.learner not in BUILDERS:
        raise unknown("learner", experiment.learner, BUILDERS)
    machine = find_machine(experiment.engine)
    given = open_pipeline(experiment.given) if experiment.given else None
    if stream is None:
        options = fitting(experiment.stream, given[0].shape) if given else experiment.stream
        stream = open_stream(options, experiment.seed, machine.device)
    if given and given[0].conditional:
        stream = taught_new_classes(given[0], given[1].classes, stream, experiment.seed)
        given[0].untold = experiment.diffusion.untold or given[1].untold
    label_seed = experiment.stream.label_seed
    stream = with_labels(stream, experiment.stream.labels, experiment.seed if label_seed is None else label_seed)
    if experiment.stream.rounds and not stream.has_rounds:  # a third party's
        stream = stream.with_rounds(experiment.stream.rounds)
    stream = stream.to(machine.device)
    machine = replace(machine, ahead=ahead_for(experiment.engine, machine.device, stream.shape))
    function = strategy or catalog.load(experiment.strategy.reference)
    courses = [course(experiment, function)]
    names = (experiment.learner,) if function.learners == ANY else function.learners
    if beside := strategy_beside(experiment, names):
        courses.insert(0, course(experiment, catalog.load(beside), "classifier"))
        names = ("classifier", *names)
    teachers = {KINDS[given[0].conditional]: given[0]} if given else {}
    for kind in set(teachers) - set(names):
        raise RequestError(
            f"the model in {experiment.model} is a {kind}, and strategy {function.__name__} trains the {names[0]}; choose one "
            f"that trains a {kind}, such as {TEACHING[kind]}."
        )
    check_untold(experiment, names, given[0] if given else None)
    built = build_learners(names, experiment, stream, teachers)
    check_classes(stream, function.__name__, [built[name] for name in built if not (beside and name == "classifier")])
    learners = {name: machine.ready(learner).eval() for name, learner in built.items()}
    own = {"feature_gan": experiment.feature_gan.training}
    own |= dict.fromkeys(CLASSIFIERS, experiment.classifier.training)
    training = dict.fromkeys(learners, experiment.training) | own
    check_weights(training, courses[-1].keeps, function.__name__)
    step_bytes = check_step(learners, training, machine)
    mixing = mixing_of(experiment, stream, names, courses[-1].keeps, draw)
    courses[-1] = replace(courses[-1], mixing=mixing)
    past = first_past(courses, experiment, tuple(names), {name: learners[name] for name in teachers})
    views = {head: Augmentation(tuple(words)) for head, words in experiment.augmentation.items()}
    check_views([*views.values(), Augmentation(experiment.synthetic.augmentation or ())], stream.shape)
    own_views = tuple((head, view) for head, view in views.items() if head != STRONG)
    past = replace(past, classes=stream.before, remembered=replace(past.remembered, views=own_views))
    build = partial(build_learner, experiment=experiment, stream=stream)
    plan = Plan(stream, courses, training, experiment.stream.flip, experiment.seed, build, views)
    progress = Progress(learners, past, machine, beside="classifier" if beside else "")
    rehearse(plan, progress, past)
    pipeline = given[1] if given else new_pipeline(experiment)
    return Assembly(experiment, machine, stream, plan, progress, pipeline, step_bytes)


def course(experiment: Experiment, function: Strategy, learner: str | None = None) -> Course:
    """A strategy with its options filled in; the name of a passed-in one is the experiment's.

    A strategy that is added to another, which its option `beside` names, is given that one, with its options.
    """
    name, keeps = function.__name__, function.keeps
    options = dict(experiment.options_of(name))
    if other := experiment.added_to(name):
        added_to = catalog.load(other)
        options["beside"] = partial(added_to, **experiment.options_of(other))
        keeps |= added_to.keeps
    return Course(name, partial(function, **options), learner or experiment.learner, keeps, function.predicts)


def fitting(options: StreamOptions, shape: tuple[int, int, int]) -> StreamOptions:
    """The stream's options, with pictures made to fit a model that works on pictures of `shape` (C, H, W)."""
    channels, height, width = shape
    if height != width:
        raise RequestError(f"the model works on pictures of {height}×{width}, and only square ones are possible yet.")
    return options.model_copy(update={"size": height, "channels": channels})


def new_pipeline(experiment: Experiment) -> Pipeline:
    """What a new denoiser is saved in."""
    options = experiment.diffusion
    return Pipeline("DDIMPipeline", export_scheduler(make_process(options), options))


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
