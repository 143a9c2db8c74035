"""From an experiment to the things that a run is made of. Nothing is written here."""

from collections.abc import Generator, Mapping
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
    denoiser, pipeline = given or new_denoiser(experiment, stream)
    check_shape(denoiser, stream)
    learners = {"denoiser": machine.ready(denoiser)}
    function = strategy or catalog.load(experiment.strategy.name)
    check_learner(function, experiment, learners)
    past = first_past(function, experiment, learners if given else {})
    filled, flip = partial(function, **experiment.options), experiment.stream.flip
    plan = Plan(stream, filled, experiment.learner, experiment.training, flip, experiment.seed)
    rehearse(plan, learners, past)
    sampler = Sampler(experiment.evaluation.sampler, experiment.evaluation.steps)
    check_steps(sampler.steps, denoiser.process.steps)
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


def new_denoiser(experiment: Experiment, stream: Stream) -> tuple[Denoiser, Pipeline]:
    """An untrained denoiser for the stream's pictures, and the pipeline that it will be saved in."""
    options = experiment.diffusion
    process, network = make_process(options), build_unet(experiment.denoiser, stream.shape, experiment.seed)
    denoiser = Denoiser(network, process, stream.shape, predicts=options.predicts, clip_range=options.clamp)
    return denoiser, Pipeline("DDIMPipeline", export_scheduler(process, options))


def check_shape(denoiser: Denoiser, stream: Stream) -> None:
    """Refuse a stream whose pictures are not those of the model."""
    if denoiser.shape != stream.shape:
        raise RequestError(
            f"the model makes pictures of shape {denoiser.shape} (C, H, W), and the stream has {stream.shape}; bring the "
            "stream's pictures to that shape."
        )


def check_learner(function: Strategy, experiment: Experiment, learners: Mapping[str, nn.Module]) -> None:
    """Refuse a learner that does not exist, and a strategy that trains another one."""
    name, wanted = experiment.learner, function.learners
    if name not in learners:
        raise RequestError(f'the experiment trains the learner "{name}"; legal: {", ".join(learners)}.')
    for learner in () if wanted == ANY else wanted:
        if learner not in learners:
            raise RequestError(
                f'strategy {experiment.strategy.name} trains a "{learner}", which this experiment does not have; '
                f"it has: {', '.join(learners)}."
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
