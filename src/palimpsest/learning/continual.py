"""The loop over tasks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.term import Phase, Strategy
from palimpsest.learning.meter import Meter
from palimpsest.learning.options import TrainingOptions
from palimpsest.learning.past import Now, frozen
from palimpsest.learning.progress import Progress, taken
from palimpsest.learning.train import Journal, pictures_of, train
from palimpsest.learning.work import Work, below, phase_steps
from palimpsest.sources import Data
from palimpsest.streams.stream import Stream, Task


class Run(Journal, Protocol):
    """What the loop needs of a run directory."""

    def begin(self, phase: Phase) -> None:
        """A phase begins, or goes on after an interruption."""

    def save(self) -> None:
        """Write a checkpoint of the progress."""

    def measure(self, task: Task, learners: Mapping[str, nn.Module]) -> None:
        """Take the measures of a task that has been learnt."""


@dataclass(frozen=True)
class Plan:
    """What does not change in a run.

    strategy: with its options filled in, (now, past) → phase.  learner: the one that the experiment trains.
    """

    stream: Stream
    strategy: Strategy
    learner: str
    training: TrainingOptions
    flip: bool
    seed: int


def continual(plan: Plan, progress: Progress, run: Run) -> None:
    """For each task: train the strategy's phases in order, take the measures, let the past grow, close the data."""
    recall(plan, progress)
    for task in plan.stream.tasks[progress.task - 1 :]:
        now = open_task(plan, progress, task)
        if not progress.trained:
            learn(plan, now, progress, run)
        run.measure(task, progress.best)
        turn_page(plan, now, progress)
        run.save()


def open_task(plan: Plan, progress: Progress, task: Task) -> Now:
    """The present task, with a lease on its training data."""
    data = Data(task.train.lease(f"task {task.number}'s training data"), plan.flip)
    return Now(progress.past.count + 1, task.classes, data, plan.learner, progress.learners)


def learn(plan: Plan, now: Now, progress: Progress, run: Run) -> None:
    """Train the phases of one task in order; those that were finished before an interruption answer from the state."""
    for number, phase in phases(plan.strategy(now, progress.past), progress):
        for teacher in progress.teachers:
            progress.machine.ready(teacher)
        taken([*progress.learners.values(), *progress.teachers])
        start(plan, phase, progress)
        run.begin(phase)
        train(phase, progress, plan.training, (plan.seed, progress.task, f"{phase.name} {number}"), run)
        end(plan, phase, progress)
    progress.trained = True
    run.save()


def phases(made: Phase | Iterator[Phase], progress: Progress) -> Iterator[tuple[int, Phase]]:
    """The phases still to be trained. A generator of phases is told what each one left behind, as a frozen learner."""
    if isinstance(made, Phase):
        yield 0, made
        return
    left, number = None, 0
    while True:
        try:
            phase = made.send(left)
        except StopIteration:
            return
        if number == len(progress.finished):
            yield number, phase
            progress.finished.append((phase.learner, frozen(progress.best[phase.learner])))
            progress.phase, progress.step = progress.phase + 1, 0
        left, number = progress.finished[number][1], number + 1


def start(plan: Plan, phase: Phase, progress: Progress) -> None:
    """Put the phase's work in hand, going on from a checkpoint where there is one."""
    if plan.training.epochs and not pictures_of(phase):
        raise RequestError(
            f'phase "{phase.name}" of task {progress.task} draws no real pictures, so its length in epochs is unknown; '
            "set training.steps in place of training.epochs."
        )
    learner, options, machine = progress.learners[phase.learner], plan.training, progress.machine
    progress.steps = phase_steps(options, pictures_of(phase))
    progress.work = Work(learner, phase, options, machine, resumed=progress.step > 0)
    progress.meter = Meter([term.name for term in phase.present], machine)
    if phase.learner in progress.carried:
        progress.work.load_optimizer(progress.carried[phase.learner])
    if progress.pending:
        progress.work.load(below(progress.pending, "work."))
        progress.meter.load(below(progress.pending, "meter."))
        progress.pending = {}


def end(plan: Plan, phase: Phase, progress: Progress) -> None:
    """Take the result of a phase's work, and put the work down."""
    progress.settle()
    work, learner = progress.work, progress.learners[phase.learner].eval().requires_grad_(True)
    if work.average:
        progress.averaged[phase.learner] = work.averaged()
    if plan.training.keep_optimizer_state:
        progress.carried[phase.learner] = work.optimizer_state()
    learner.zero_grad(set_to_none=True)
    progress.work = progress.meter = None


def turn_page(plan: Plan, now: Now, progress: Progress) -> None:
    """The task becomes past, its training data is closed, and the next task is in hand."""
    teachers = progress.best if plan.training.teacher_weights == "average" else progress.learners
    progress.past = progress.past.after(now, teachers, (plan.seed,))
    progress.task, progress.phase, progress.step = progress.task + 1, 0, 0
    progress.trained, progress.task_seconds, progress.finished = False, 0.0, []
    now.data.pictures.close()
    recall(plan, progress)


def recall(plan: Plan, progress: Progress) -> None:
    """Hand all pictures of the tasks that have ended to a past that keeps everything."""
    ended = [task.train for task in plan.stream.tasks[: progress.task - 1]]
    progress.past = progress.past.with_everything(ended)
