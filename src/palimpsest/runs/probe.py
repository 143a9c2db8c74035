"""A few steps of each phase of a task, timed and counted, to tell what all of them would cost."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import nn

from palimpsest.core.batch import Batch
from palimpsest.core.term import Phase
from palimpsest.learning.continual import Plan, learn, open_task
from palimpsest.learning.progress import Progress
from palimpsest.learning.train import pictures_of
from palimpsest.learning.work import phase_steps
from palimpsest.sources.ahead import chunk_steps
from palimpsest.streams.stream import Task

WARM_UP = 2  # steps that are not counted
ENOUGH = 24  # counted steps of a probe
MOST_SECONDS = 4.0  # that a probe takes beyond the first counted step


@dataclass
class Stretch:
    """A phase, probed: its learner, how many steps it would have, what one step takes in seconds and passes.

    chunk: steps between two drawings ahead. Only whole chunks are counted, so that each drawing counts as often as in a run.
    """

    learner: str
    beside: bool
    steps: int
    chunk: int = 1
    times: list[float] = field(default_factory=list)
    student_passes: float = 0.0
    teacher_passes: float = 0.0

    @property
    def first(self) -> int:
        """The step that is counted first."""
        return math.ceil(WARM_UP / self.chunk) * self.chunk

    @property
    def seconds(self) -> float:
        """Of one step, beyond the first few."""
        return (self.times[-1] - self.times[self.first - 1]) / (len(self.times) - self.first)


@dataclass
class Probe:
    """Stands in for a run: notes how long the steps of each phase take, and how many there would be.

    plan: the real one, which says how long a phase is.
    """

    plan: Plan
    progress: Progress
    stretches: list[Stretch] = field(default_factory=list)

    def begin(self, phase: Phase) -> None:
        options, machine = self.plan.training[phase.learner], self.progress.machine
        batch = Batch(options.batch, ahead=machine.ahead, world=machine.world)
        chunk = max(chunk_steps(term.source, batch) for term in phase.present)
        steps = phase_steps(options, pictures_of(phase))
        self.stretches.append(Stretch(phase.learner, self.progress.is_beside, steps, chunk))

    def after_step(self, pictures: int) -> None:
        self.progress.machine.synchronize()
        self.stretches[-1].times.append(time.perf_counter())
        if self.progress.step == self.progress.steps:
            self.count()

    def count(self) -> None:
        """What a step of the phase costs."""
        done, spending = self.stretches[-1], self.progress.spending
        before = replace(spending)
        self.progress.settle()
        done.student_passes = (spending.student_passes - before.student_passes) / len(done.times)
        done.teacher_passes = (spending.teacher_passes - before.teacher_passes) / len(done.times)

    def save(self) -> None: ...

    def measure(self, task: Task, learners: Mapping[str, nn.Module]) -> None: ...


def probe_task(plan: Plan, progress: Progress, task: Task) -> list[Stretch]:
    """Every phase of a task with what a step takes: one counted chunk first, then as many as there is time for."""
    stretches = walk(plan, progress, task, chunks=0).stretches
    known = {stretch.learner: stretch for stretch in stretches}
    probe = walk(plan, progress, task, chunks=1, known=known)
    seconds = sum(stretch.seconds * stretch.chunk for stretch in probe.stretches)
    affordable = min(int(MOST_SECONDS / seconds), ENOUGH // min(stretch.chunk for stretch in stretches))
    if affordable > 1:
        probe = walk(plan, progress, task, chunks=affordable, known=known)
    return probe.stretches


def walk(plan: Plan, progress: Progress, task: Task, chunks: int, known: Mapping[str, Stretch] | None = None) -> Probe:
    """Learn a task with a warm-up and so many chunks of steps a phase, and forget that it happened.

    known: by learner, a stretch that says how long its chunks are; without it no step is taken.
    """
    training = {
        name: options.model_copy(
            update={"epochs": 0, "steps": known[name].first + chunks * known[name].chunk if known else 0}
        )
        for name, options in plan.training.items()
        if not known or name in known
    }
    probe = Probe(plan, progress)
    learn(replace(plan, training=training), open_task(plan, progress, task), progress, probe)
    progress.trained, progress.phase, progress.step, progress.finished = False, 0, 0, []
    return probe
