"""From an experiment to the things that a run is made of. Nothing is written here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.term import Strategy
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.process import make_process
from palimpsest.diffusion.schedulers import export_scheduler
from palimpsest.learning.continual import STRONG
from palimpsest.learning.course import Course
from palimpsest.learning.devices import Machine, ahead_for, find_machine
from palimpsest.learning.options import TrainingOptions
from palimpsest.learning.plan import Plan
from palimpsest.learning.progress import Progress
from palimpsest.models.options import CLASSIFIERS
from palimpsest.models.pipelines import Pipeline, open_pipeline
from palimpsest.runs.checks import (
    check_classes,
    check_untold,
    check_views,
    check_weights,
)
from palimpsest.runs.config import Experiment, strategy_beside
from palimpsest.runs.first_past import first_past
from palimpsest.runs.growing import taught_new_classes
from palimpsest.runs.learners import BUILDERS, build_learner, build_learners
from palimpsest.runs.rehearsal import rehearse
from palimpsest.runs.synthetic import mixing_of
from palimpsest.runs.trackers import check_tracker
from palimpsest.runs.weighing import check_step
from palimpsest.sources.augment import Augmentation
from palimpsest.strategies import catalog
from palimpsest.strategies.declare import ANY
from palimpsest.streams.labels import with_labels
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.stream import Stream

Given = tuple[Denoiser, Pipeline]  # a model that is taught on, and what it is saved in


@dataclass(frozen=True)
class Assembly:
    """An experiment, and the things that it describes.

    step_bytes: that a step takes at the least.  doubts: sentences about what is hardly meant.
    """

    experiment: Experiment
    machine: Machine
    stream: Stream
    plan: Plan
    progress: Progress
    pipeline: Pipeline
    step_bytes: int = 0
    doubts: tuple[str, ...] = ()

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
    stream = prepared(stream, experiment, given, machine.device)
    machine = replace(machine, ahead=ahead_for(experiment.engine, machine.device, stream.shape))
    courses, names = courses_of(experiment, strategy or catalog.load(experiment.strategy.reference))
    *beside, own = courses
    teachers = teachers_of(experiment, given, names, own.name)
    check_untold(experiment, names, given[0] if given else None)
    built = build_learners(names, experiment, stream, teachers)
    check_classes(stream, own.name, [built[name] for name in (names[1:] if beside else names)])
    learners = {name: machine.ready(learner).eval() for name, learner in built.items()}
    training = training_of(experiment, learners)
    check_weights(training, own.keeps, own.name)
    step_bytes = check_step(learners, training, machine)
    courses[-1] = replace(own, mixing=mixing_of(experiment, stream, names, draw))
    views = views_of(experiment, stream)
    build = partial(build_learner, experiment=experiment, stream=stream)
    plan = Plan(stream, courses, training, experiment.stream.flip, experiment.seed, build, views)
    past = first_past(courses, experiment, names, {name: learners[name] for name in teachers})
    own_views = tuple((head, view) for head, view in views.items() if head != STRONG)
    past = replace(past, classes=stream.before, remembered=replace(past.remembered, views=own_views))
    progress = Progress(learners, past, machine, beside="classifier" if beside else "")
    doubts = rehearse(plan, progress, past)
    pipeline = given[1] if given else new_pipeline(experiment)
    return Assembly(experiment, machine, stream, plan, progress, pipeline, step_bytes, doubts)


def prepared(stream: Stream | None, experiment: Experiment, given: Given | None, device: torch.device) -> Stream:
    """The stream, or the one that the experiment names, with its labels and rounds; a given model's classes come first."""
    if stream is None:
        options = fitting(experiment.stream, given[0].shape) if given else experiment.stream
        stream = open_stream(options, experiment.seed, device)
    if given and given[0].conditional:
        stream = taught_new_classes(given[0], given[1].classes, stream, experiment.seed)
        given[0].untold = experiment.diffusion.untold or given[1].untold
    label_seed = experiment.stream.label_seed
    stream = with_labels(stream, experiment.stream.labels, experiment.seed if label_seed is None else label_seed)
    if experiment.stream.rounds and not stream.has_rounds:  # a third party's
        stream = stream.with_rounds(experiment.stream.rounds)
    return stream.to(device)


def courses_of(experiment: Experiment, function: Strategy) -> tuple[list[Course], tuple[str, ...]]:
    """The strategy's course, after that of the classifier beside it if there is one, and the learners of both."""
    courses = [course(experiment, function)]
    names = (experiment.learner,) if function.learners == ANY else tuple(function.learners)
    if beside := strategy_beside(experiment, names):
        return [course(experiment, catalog.load(beside), "classifier"), *courses], ("classifier", *names)
    return courses, names


def teachers_of(
    experiment: Experiment, given: Given | None, names: Sequence[str], strategy: str
) -> dict[str, nn.Module]:
    """The given model, by the kind of learner that it is."""
    if given is None:
        return {}
    kind = KINDS[given[0].conditional]
    if kind not in names:
        raise RequestError(
            f"the model in {experiment.model} is a {kind}, and strategy {strategy} trains the {names[0]}; choose one "
            f"that trains a {kind}, such as {TEACHING[kind]}."
        )
    return {kind: given[0]}


def training_of(experiment: Experiment, learners: Iterable[str]) -> dict[str, TrainingOptions]:
    """How each learner is trained."""
    own = {"feature_gan": experiment.feature_gan.training}
    own |= dict.fromkeys(CLASSIFIERS, experiment.classifier.training)
    return dict.fromkeys(learners, experiment.training) | own


def views_of(experiment: Experiment, stream: Stream) -> dict[str, Augmentation]:
    """How pictures are looked at, by head."""
    views = {head: Augmentation(tuple(words)) for head, words in experiment.augmentation.items()}
    check_views([*views.values(), Augmentation(experiment.synthetic.augmentation or ())], stream.shape)
    return views


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
