"""From an experiment to the things that a run is made of. Nothing is written here."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import nn

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.term import Phase, Strategy
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.process import make_process
from palimpsest.diffusion.schedulers import export_scheduler
from palimpsest.learning.continual import Plan
from palimpsest.learning.course import Course
from palimpsest.learning.devices import Machine, ahead_for, find_machine
from palimpsest.learning.past import Now, Past, Teacher, frozen
from palimpsest.learning.progress import Progress
from palimpsest.models.classifier import Classifier, build_classifier
from palimpsest.models.joint import Joint, build_joint
from palimpsest.models.options import ClassifierOptions
from palimpsest.models.unet import build_unet
from palimpsest.runs.config import Experiment, strategy_beside
from palimpsest.runs.pipelines import Pipeline, open_pipeline
from palimpsest.runs.trackers import check_tracker
from palimpsest.sources import Data, Memory
from palimpsest.sources.ahead import chunk_steps
from palimpsest.sources.augment import Augmentation
from palimpsest.strategies import catalog
from palimpsest.strategies.declare import ANY
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.stream import Stream


@dataclass(frozen=True)
class Assembly:
    """An experiment, and the things that it describes."""

    experiment: Experiment
    machine: Machine
    stream: Stream
    plan: Plan
    progress: Progress
    pipeline: Pipeline

    @property
    def remembers(self) -> tuple[str, ...]:
        """What the strategy keeps of the past."""
        return tuple(sorted(self.plan.courses[-1].keeps))


def assemble(experiment: Experiment, stream: Stream | None = None, strategy: Strategy | None = None) -> Assembly:
    """Everything that a run needs, checked before anything is written.

    stream, strategy: to be used in place of those that the experiment names.
    """
    check_tracker(experiment.engine.tracker)
    if experiment.learner not in BUILDERS:
        raise unknown("learner", experiment.learner, BUILDERS)
    machine = find_machine(experiment.engine)
    given = open_pipeline(Path(experiment.model)) if experiment.model else None
    if given and given[0].conditional:
        raise RequestError(
            f"the model in {experiment.model} is told of classes, and only unconditional ones can be taught on."
        )
    if stream is None:
        options = fitting(experiment.stream, given[0].shape) if given else experiment.stream
        stream = open_stream(options, experiment.seed, machine.device)
    stream = stream.to(machine.device)
    machine = replace(machine, ahead=ahead_for(experiment.engine, machine.device, stream.shape))
    function = strategy or catalog.load(experiment.strategy.name)
    courses = [course(experiment, function)]
    names = (experiment.learner,) if function.learners == ANY else function.learners
    if beside := strategy_beside(experiment, names):
        courses.insert(0, course(experiment, catalog.load(beside), "classifier"))
        names = ("classifier", *names)
    teachers = {"denoiser": given[0]} if given else {}
    if teachers and "denoiser" not in names:
        raise RequestError(f"a given model is a denoiser, and strategy {function.__name__} trains the {names[0]}.")
    built = build_learners(names, experiment, stream, teachers)
    learners = {name: machine.ready(learner).eval() for name, learner in built.items()}
    past = first_past(courses, experiment, tuple(names), {name: learners[name] for name in teachers})
    training = dict.fromkeys(learners, experiment.training) | {"classifier": experiment.classifier.training}
    build = partial(build_learner, experiment=experiment, stream=stream)
    views = tuple((head, Augmentation(tuple(words))) for head, words in experiment.augmentation.items())
    plan = Plan(stream, courses, training, experiment.stream.flip, experiment.seed, build, views)
    progress = Progress(learners, past, machine, beside="classifier" if beside else "")
    rehearse(plan, progress, past)
    return Assembly(experiment, machine, stream, plan, progress, given[1] if given else new_pipeline(experiment))


def course(experiment: Experiment, function: Strategy, learner: str | None = None) -> Course:
    """A strategy with its options filled in; the name of a passed-in one is the experiment's."""
    options = experiment.options_of(function.__name__)
    return Course(function.__name__, partial(function, **options), learner or experiment.learner, function.keeps)


def fitting(options: StreamOptions, shape: tuple[int, int, int]) -> StreamOptions:
    """The stream's options, with pictures made to fit a model that works on pictures of `shape` (C, H, W)."""
    channels, height, width = shape
    if height != width:
        raise RequestError(f"the model works on pictures of {height}×{width}, and only square ones are possible yet.")
    return options.model_copy(update={"size": height, "channels": channels})


def build_learners(
    names: Sequence[str], experiment: Experiment, stream: Stream, given: Mapping[str, nn.Module]
) -> dict[str, nn.Module]:
    """The learners that a strategy trains: those that are given, and new ones. A learner that nobody builds is refused."""
    learners = {name: given.get(name) or build_learner(name, experiment, stream) for name in names}
    for learner in learners.values():
        check_shape(learner, stream)
    return learners


def build_learner(name: str, experiment: Experiment, stream: Stream) -> nn.Module:
    """A learner with its initial weights."""
    if name not in BUILDERS:
        raise RequestError(
            f'strategy {experiment.strategy.name} trains the learner "{name}"; legal: {", ".join(BUILDERS)}.'
        )
    return BUILDERS[name](experiment, stream)


def new_denoiser(experiment: Experiment, stream: Stream, classes: int = 0) -> Denoiser:
    """An untrained denoiser for the stream's pictures; one that is told of `classes`, where there are any."""
    options = experiment.diffusion
    return Denoiser(
        build_unet(experiment.denoiser, stream.shape, experiment.seed, classes),
        make_process(options),
        stream.shape,
        predicts=options.predicts,
        clip_range=options.clamp,
        conditional=bool(classes),
    )


def new_conditional_denoiser(experiment: Experiment, stream: Stream) -> Denoiser:
    """An untrained denoiser that is told of which of the stream's classes a picture is."""
    return new_denoiser(experiment, stream, len(stream.class_names))


def new_classifier(experiment: Experiment, stream: Stream) -> Classifier:
    """An untrained classifier of all the stream's classes."""
    options = ClassifierOptions(**experiment.classifier.model_dump(include=set(ClassifierOptions.model_fields)))
    return build_classifier(options, stream.shape, stream.class_names, experiment.seed)


def new_joint(experiment: Experiment, stream: Stream) -> Joint:
    """An untrained joint model of all the stream's classes."""
    return build_joint(new_denoiser(experiment, stream), experiment.joint, stream.class_names, experiment.seed)


BUILDERS: dict[str, Callable[[Experiment, Stream], nn.Module]] = {
    "denoiser": new_denoiser,
    "conditional_denoiser": new_conditional_denoiser,
    "classifier": new_classifier,
    "joint": new_joint,
}


def new_pipeline(experiment: Experiment) -> Pipeline:
    """What a new denoiser is saved in."""
    options = experiment.diffusion
    return Pipeline("DDIMPipeline", export_scheduler(make_process(options), options))


def check_shape(learner: nn.Module, stream: Stream) -> None:
    """Refuse a stream whose pictures are not those of the model."""
    if learner.shape != stream.shape:
        raise RequestError(
            f"the model makes pictures of shape {learner.shape} (C, H, W), and the stream has {stream.shape}; bring the "
            "stream's pictures to that shape."
        )


def first_past(
    courses: Sequence[Course], experiment: Experiment, learners: tuple[str, ...], teachers: Mapping[str, nn.Module]
) -> Past:
    """What is behind the first task: nothing, or a model that is taught on, which counts as one task."""
    sizes = {c.name: experiment.options_of(c.name)["memory_size"] for c in courses if "memory" in c.keeps}
    if len(set(sizes.values())) > 1:
        both = " and ".join(f"{name} {size}" for name, size in sizes.items())
        raise RequestError(
            f"one memory serves the strategy and the classifier beside it; give both one memory_size, not {both}."
        )
    memory_size = next(iter(sizes.values()), 0)
    if memory_size < 0:
        raise RequestError(f"memory_size is {memory_size}, and a memory holds 0 pictures or more.")
    memory = Memory(flip=experiment.stream.flip)
    keeps = frozenset().union(*(course.keeps for course in courses))
    past = Past(keeps, experiment.learner, learners, memory_size, remembered=memory, count=1 if teachers else 0)
    if "teacher" not in keeps:
        return past
    return replace(past, teachers={name: frozen(learner) for name, learner in teachers.items()})


def rehearse(plan: Plan, progress: Progress, past: Past) -> None:
    """Ask the strategy for its phases as in the first two tasks, so that what is wrong is known before a run begins."""
    task, learners, machine = plan.stream.tasks[0], progress.learners, progress.machine
    lease = task.train.lease("the rehearsal's training data")
    teachers = {name: Teacher(learner) for name, learner in learners.items()}
    later = replace(past, count=past.count + 1, classes=past.classes + task.classes, teachers=teachers)
    for behind in (past, later):
        now = Now(
            behind.count + 1,
            task.classes,
            Data(lease, plan.flip, views=plan.views),
            plan.courses[-1].learner,
            learners,
            plan.build,
        )
        for course in plan.courses:
            for phase in rehearsed(course.phases(now, behind), teachers, now.k):
                batch = Batch(plan.training[phase.learner].batch, ahead=machine.ahead, world=machine.world)
                for term in phase.present:
                    chunk_steps(term.source, batch)  # refuses what does not fit into memory
    lease.close()


def rehearsed(made: Phase | Generator, teachers: Mapping[str, Teacher], k: int) -> Iterator[Phase]:
    """The phases that a strategy asks for. What is no phase, a phase without terms, or of no learner, is refused."""
    phase = next(made, None) if isinstance(made, Generator) else made
    while True:
        if not isinstance(phase, Phase):
            raise RequestError(f"a strategy returns a Phase or yields Phases, and this one gave {phase!r}.")
        if not phase.present:
            raise RequestError(
                f'the strategy has nothing to learn from: its phase "{phase.name}" has no terms at k = {k}.'
            )
        if phase.learner not in teachers:
            raise unknown("learner of a phase", phase.learner, teachers)
        yield phase
        try:
            phase = made.send(teachers[phase.learner]) if isinstance(made, Generator) else None
        except StopIteration:
            return
        if phase is None and not isinstance(made, Generator):
            return
