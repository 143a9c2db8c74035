"""From an experiment to the things that a run is made of. Nothing is written here."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.term import Phase, Strategy
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.process import make_process
from palimpsest.diffusion.samplers import Sampler
from palimpsest.diffusion.schedulers import export_scheduler
from palimpsest.diffusion.steps import check_steps
from palimpsest.learning.continual import Plan
from palimpsest.learning.devices import Machine, find_machine
from palimpsest.learning.past import Now, Past, Teacher, frozen
from palimpsest.learning.progress import Progress
from palimpsest.models.unet import build_unet
from palimpsest.runs.config import Experiment
from palimpsest.runs.pipelines import Pipeline, open_pipeline
from palimpsest.sources import Data, Memory
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
    sampler: Sampler
    remembers: tuple[str, ...]


def assemble(experiment: Experiment, stream: Stream | None = None, strategy: Strategy | None = None) -> Assembly:
    """Everything that a run needs, checked before anything is written.

    stream, strategy: to be used in place of those that the experiment names.
    """
    machine = find_machine(experiment.engine)
    given = open_pipeline(Path(experiment.model)) if experiment.model else None
    if stream is None:
        stream = open_stream(fitting(experiment.stream, given), experiment.seed, machine.device)
    stream = stream.to(machine.device)
    function = strategy or catalog.load(experiment.strategy.name)
    names = (experiment.learner,) if function.learners == ANY else function.learners
    learners = build_learners(names, experiment, stream, {"denoiser": given[0]} if given else {})
    learners = {name: machine.ready(learner) for name, learner in learners.items()}
    pipeline = given[1] if given else new_pipeline(experiment)
    past = first_past(function, experiment, learners if given else {})
    filled, flip = partial(function, **experiment.options), experiment.stream.flip
    plan = Plan(stream, filled, experiment.learner, experiment.training, flip, experiment.seed)
    rehearse(plan, learners, past)
    sampler = Sampler(experiment.evaluation.sampler, experiment.evaluation.steps)
    check_steps(sampler.steps, learners["denoiser"].process.steps)
    progress = Progress(learners, past, machine)
    return Assembly(experiment, machine, stream, plan, progress, pipeline, sampler, tuple(sorted(function.keeps)))


def fitting(options: StreamOptions, given: tuple[Denoiser, Pipeline] | None) -> StreamOptions:
    """The stream's options, with pictures made to fit a model that is taught on."""
    if given is None:
        return options
    channels, height, width = given[0].shape
    if height != width:
        raise RequestError(f"the model makes pictures of {height}×{width}, and only square ones can be taught on yet.")
    return options.model_copy(update={"size": height, "channels": channels})


def build_learners(
    names: Sequence[str], experiment: Experiment, stream: Stream, given: Mapping[str, nn.Module]
) -> dict[str, nn.Module]:
    """The learners that a strategy trains: those that are given, and new ones. A learner that nobody builds is refused."""
    learners = {}
    for name in names:
        if name not in BUILDERS:
            raise RequestError(
                f'strategy {experiment.strategy.name} trains the learner "{name}"; legal: {", ".join(BUILDERS)}.'
            )
        learners[name] = given.get(name) or BUILDERS[name](experiment, stream)
        check_shape(learners[name], stream)
    return learners


def new_denoiser(experiment: Experiment, stream: Stream) -> Denoiser:
    """An untrained denoiser for the stream's pictures."""
    options = experiment.diffusion
    network = build_unet(experiment.denoiser, stream.shape, experiment.seed)
    return Denoiser(network, make_process(options), stream.shape, predicts=options.predicts, clip_range=options.clamp)


BUILDERS: dict[str, Callable[[Experiment, Stream], nn.Module]] = {"denoiser": new_denoiser}


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


def first_past(function: Strategy, experiment: Experiment, teachers: Mapping[str, nn.Module]) -> Past:
    """What is behind the first task: nothing, or a model that is taught on, which counts as one task."""
    memory_size = experiment.options.get("memory_size", 0)
    if memory_size < 0:
        raise RequestError(f"memory_size is {memory_size}, and a memory holds 0 pictures or more.")
    memory = Memory(flip=experiment.stream.flip)
    past = Past(function.keeps, experiment.learner, memory_size, remembered=memory, count=1 if teachers else 0)
    if "teacher" not in function.keeps:
        return past
    return replace(past, teachers={name: frozen(learner) for name, learner in teachers.items()})


def rehearse(plan: Plan, learners: Mapping[str, nn.Module], past: Past) -> None:
    """Ask the strategy for its first phase as in the first two tasks, so that what is wrong is known before a run begins."""
    task = plan.stream.tasks[0]
    lease = task.train.lease("the rehearsal's training data")
    later = replace(past, count=past.count + 1, teachers={name: Teacher(learner) for name, learner in learners.items()})
    for behind in (past, later):
        now = Now(behind.count + 1, task.classes, Data(lease, plan.flip), plan.learner, learners)
        phase = plan.strategy(now, behind)
        phase = next(phase, None) if isinstance(phase, Generator) else phase
        if not isinstance(phase, Phase):
            raise RequestError(f"a strategy returns a Phase or yields Phases, and this one gave {phase!r}.")
        if not phase.present:
            raise RequestError(f"the strategy has nothing to learn from: its phase has no terms at k = {now.k}.")
    lease.close()
