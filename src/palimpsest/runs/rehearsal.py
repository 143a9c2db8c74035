"""The strategy's phases, asked for before a run begins, so that what is wrong about them is known by then."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.term import Phase
from palimpsest.learning.continual import check_length, open_task
from palimpsest.learning.past import Past
from palimpsest.learning.plan import Plan
from palimpsest.learning.progress import Progress
from palimpsest.learning.teacher import Teacher
from palimpsest.runs.checks import check_alone, check_memory, check_quota, check_rows, doubt_of_length, doubt_of_views
from palimpsest.sources.ahead import chunk_steps
from palimpsest.streams.stream import Task


def rehearse(plan: Plan, progress: Progress, past: Past) -> tuple[str, ...]:
    """Ask for the phases of the first two tasks and of the last, between which lie the smallest shares of old and new classes.

    Gives sentences about what is not wrong and hardly meant.
    """
    tasks = plan.stream.tasks
    teachers = {name: Teacher(learner) for name, learner in progress.learners.items()}
    later = replace(past.unseeing, teachers=teachers).with_everything([tasks[0].told])
    if "memory" in past.keeps:
        check_memory(plan, progress, past)
        later = replace(later, remembered=past.keeping.after(past.remembered, tasks[0].told, ("rehearsal",)))
    doubts = rehearse_task(plan, progress, past, tasks[0], teachers)
    for number in sorted({min(1, len(tasks) - 1), len(tasks) - 1}):
        before = tasks[:number] or tasks
        classes = tuple(each for task in before for each in task.classes)
        behind = replace(later, count=past.count + len(before), classes=past.classes + classes)
        doubts += rehearse_task(plan, progress, behind, tasks[number], teachers)
    return tuple(dict.fromkeys(doubts))


def rehearse_task(plan: Plan, progress: Progress, past: Past, task: Task, teachers: Mapping[str, Teacher]) -> list[str]:
    """Refuse what is wrong about the phases of a task with this past, and say what is doubtful."""
    doubts: list[str] = []
    now, machine = open_task(plan, replace(progress, past=past), task), progress.machine
    for course in plan.courses:
        for phase in rehearsed(course.phases(now, past), teachers, now.k):
            check_length(phase, plan.training[phase.learner], now.k)
            doubts.append(doubt_of_length(phase, plan.descent(phase).steps))
            rows = plan.training[phase.learner].batch
            batch = Batch(rows, address=(0,), ahead=machine.ahead, world=machine.world)
            for term in phase.present:
                check_alone(term, machine)
                check_rows(term, batch)
                check_quota(term, machine)
                chunk_steps(term.source, batch)  # refuses what does not fit into memory
                doubts.append(doubt_of_views(term))
    now.close()
    return [doubt for doubt in doubts if doubt]


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
        if all(term.every > 1 for term in phase.present):
            raise RequestError(
                f'the terms of phase "{phase.name}" count in some steps only, and in others there is nothing to learn from; let '
                "one of them count in every step."
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
