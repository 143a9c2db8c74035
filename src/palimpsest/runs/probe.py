"""A few steps of each phase of a task, timed and counted, to tell what all of them would cost."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from palimpsest.core.batch import Batch
from palimpsest.core.term import Phase
from palimpsest.learning.continual import learn, open_task
from palimpsest.learning.plan import Plan
from palimpsest.learning.progress import Progress, taken
from palimpsest.sources import Pool
from palimpsest.sources.ahead import ahead_bytes, chunk_steps
from palimpsest.streams.stream import Task

WARM_UP = 2  # steps that are not counted
ENOUGH = 24  # counted steps of a probe
FEW = 2  # steps of dreams that are timed
MOST_SECONDS = 4.0  # that a probe takes beyond the first counted step


@dataclass
class Stretch:
    """A phase, probed: its learner, how many steps it would have, what one step takes in seconds and passes.

    learns: False where its steps are batches of dreams.  every: steps of the descent after which these are dreamt anew; 0: never.
    chunk: steps between two drawings ahead. Only whole chunks are counted, so that each drawing counts as often as in a run.
    ahead: bytes that one source's samples take while they are drawn ahead, of the source that takes most.
    times: when it began, and when each step ended.
    """

    learner: str
    beside: bool
    steps: int
    chunk: int = 1
    learns: bool = True
    every: int = 0
    ahead: int = 0
    times: list[float] = field(default_factory=list)
    student_passes: float = 0.0
    teacher_passes: float = 0.0

    @property
    def first(self) -> int:
        """How many steps are not counted: a warm-up, which long chunks do without, and those as long as their phase."""
        return (
            0 if self.chunk > ENOUGH / 2 or self.chunk == self.steps else math.ceil(WARM_UP / self.chunk) * self.chunk
        )

    @property
    def seconds(self) -> float:
        """Of one step, beyond the first few."""
        return (self.times[-1] - self.times[self.first]) / (self.taken - self.first)

    @property
    def taken(self) -> int:
        """Steps that were taken."""
        return len(self.times) - 1


@dataclass
class Probe:
    """Stands in for a run: notes how long the steps of each phase take, and how many there would be.

    plan: the real one, which says how long a phase is.
    dreams: what it takes to fill the pools of phases, a batch counting as a step.
    """

    plan: Plan
    progress: Progress
    timed: bool = True
    stretches: list[Stretch] = field(default_factory=list)
    dreams: list[Stretch] = field(default_factory=list)

    @property
    def all(self) -> list[Stretch]:
        """Phases, and the filling of pools."""
        return self.stretches + self.dreams

    def begin(self, phase: Phase) -> None:
        descent, machine = self.plan.descent(phase), self.progress.machine
        steps = descent.steps
        for dreams in self.dreams:
            if dreams.every:
                dreams.steps, dreams.every = dreams.steps * math.ceil(descent.total / dreams.every), 0
        batch = Batch(descent.options.batch, steps=steps, ahead=machine.ahead, world=machine.world)
        chunk = math.lcm(*(chunk_steps(term.source, batch) for term in phase.present)) if steps else 1
        made = Stretch(phase.learner, self.progress.is_beside, steps, min(chunk, max(steps, 1)))
        made.ahead = max(ahead_bytes(term.source, batch) for term in phase.present)
        made.times.append(time.perf_counter())
        self.stretches.append(made)

    def after_step(self, pictures: int) -> None:
        stretch, last = self.stretches[-1], self.progress.step == self.progress.steps
        if last or stretch.taken + 1 == stretch.first:
            self.progress.machine.synchronize()  # the steps in between go on as in a run
        stretch.times.append(time.perf_counter())
        if last:
            self.count()

    def count(self) -> None:
        """What a step of the phase costs."""
        done, spending = self.stretches[-1], self.progress.spending
        before = replace(spending)
        self.progress.settle()
        done.student_passes = (spending.student_passes - before.student_passes) / done.taken
        done.teacher_passes = (spending.teacher_passes - before.teacher_passes) / done.taken

    def begin_dreams(self, pool: Pool) -> None:
        """Time a batch of dreams, of few steps, and apart from it the look at them, which no dream takes twice."""
        rows, short = pool.due(self.progress.machine.ahead.rows), min(FEW, pool.sampler.steps)
        batches, ratio = math.ceil(pool.wanted / rows), pool.sampler.steps / short  # at the least so many are dreamt
        done = Stretch(
            self.progress.training, self.progress.is_beside, batches, chunk=ENOUGH, learns=False, every=pool.every
        )
        self.dreams.append(done)
        done.times += [0.0, 0.0]
        if self.timed:
            numbers = self.progress.machine.random("probe", pool.name)
            few = replace(pool, sampler=replace(pool.sampler, steps=short))
            x = numbers.normal(rows, *pool.dreamer.shape)
            seconds, passes = self.cost_of(lambda: few.dream(numbers, rows))
            asked = pool.asked(numbers, rows)
            look_seconds, look_passes = self.cost_of(lambda: pool.look(x, asked))
            done.times[1] = max(seconds - look_seconds, 0.0) * ratio + look_seconds
            done.teacher_passes = (passes - look_passes) * ratio + look_passes

    def cost_of(self, asking: Callable[[], object]) -> tuple[float, float]:
        """Seconds and passes of asking teachers something; the passes are of no phase, and taken out of the count."""
        taken(self.progress.teachers)
        began = time.perf_counter()
        asking()
        self.progress.machine.synchronize()
        return time.perf_counter() - began, taken(self.progress.teachers)

    def end(self, phase: Phase) -> None: ...

    def after_dreams(self, pool: Pool) -> None: ...

    def end_dreams(self, pool: Pool) -> None: ...

    def save(self) -> None: ...

    def measure(self, task: Task, learners: Mapping[str, nn.Module]) -> None: ...


def probe_task(plan: Plan, progress: Progress, task: Task) -> list[Stretch]:
    """Every phase of a task with what a step takes: one counted chunk first, then as many as there is time for."""
    stretches = walk(plan, progress, task, {}).stretches
    probe = walk(plan, progress, task, whole_chunks(stretches, 1))
    seconds = sum(stretch.seconds * stretch.chunk for stretch in probe.stretches)
    enough = ENOUGH // min(stretch.chunk for stretch in stretches)
    affordable = min(int(MOST_SECONDS / seconds), enough, *(stretch.steps // stretch.chunk for stretch in stretches))
    if affordable > 1:
        probe = walk(plan, progress, task, whole_chunks(stretches, affordable))
    return probe.all


def whole_chunks(stretches: Sequence[Stretch], count: int) -> dict[str, int]:
    """By learner, the steps of a warm-up and `count` chunks; of all its phases' chunks where they differ in length."""
    steps = {}
    for learner in {stretch.learner for stretch in stretches}:
        own = [stretch for stretch in stretches if stretch.learner == learner]
        chunk = math.lcm(*(stretch.chunk for stretch in own))
        steps[learner] = (math.ceil(max(stretch.first for stretch in own) / chunk) + count) * chunk
    return steps


def walk(plan: Plan, progress: Progress, task: Task, steps: Mapping[str, int]) -> Probe:
    """Learn a task with so many steps a phase of each learner, none where it is not named, and forget that it happened."""
    probe = Probe(plan, progress, timed=any(steps.values()))
    learn(replace(plan, lengths=steps), open_task(plan, progress, task), progress, probe)
    progress.trained, progress.phase, progress.step, progress.finished = False, 0, 0, []
    return probe
