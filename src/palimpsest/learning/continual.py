"""The loop over tasks."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.images import WEAK
from palimpsest.core.random import Address
from palimpsest.core.term import Phase, Term
from palimpsest.learning.course import phases
from palimpsest.learning.filling import fill, keeping, pretend, renew, take_over
from palimpsest.learning.fisher import MEASURES
from palimpsest.learning.imprinting import Imprinted
from palimpsest.learning.meter import Meter
from palimpsest.learning.now import Now
from palimpsest.learning.options import TrainingOptions
from palimpsest.learning.plan import Plan, Run
from palimpsest.learning.progress import Progress, taken
from palimpsest.learning.remembering import classifier_of, greet, lost, predictors
from palimpsest.learning.taking_up import refuse_another, take_up
from palimpsest.learning.teacher import Teacher, frozen
from palimpsest.learning.train import rows_an_epoch, rows_of, train
from palimpsest.learning.work import Work
from palimpsest.sources import Data, Memory, Pool, Refreshed, Unlabelled
from palimpsest.sources.augment import Augmentation
from palimpsest.streams.stream import Task
from palimpsest.targets.weights import Importance

STRONG = "strong"


def continual(plan: Plan, progress: Progress, run: Run) -> None:
    """For each task: train the strategy's phases in order, take the measures, let the past grow, close the data."""
    recall(plan, progress)
    for task in plan.stream.tasks[progress.task - 1 :]:
        now = open_task(plan, progress, task)
        if not progress.trained:
            learn(plan, now, progress, run)
        memory = progress.past.remembering(now, classifier_of(progress.best))
        if gone := lost(progress.past, now, memory):
            run.warn(
                f"the memory keeps no picture of {', '.join(plan.stream.class_names[number] for number in gone)}, for it is chosen by "
                f"{progress.past.keeping.selection}; give a larger memory_size, or selection random, herding or reservoir, which keep some of each class"
            )
        run.measure(task, predictors(plan, progress, memory.pictures))
        turn_page(plan, now, progress, memory)
        run.save()


def open_task(plan: Plan, progress: Progress, task: Task) -> Now:
    """The present task, with a lease on its training data."""
    what = f"task {task.number}'s training data"
    views = {head: view for head, view in plan.views.items() if head != STRONG}
    data = Data(task.told.lease(what), plan.flip, views=tuple(views.items()))
    unlabelled = None
    if task.labelled is not None:
        weak = views.get("logits", Augmentation(("flip",) if plan.flip else ()))
        changed = views | {WEAK: weak, "logits": plan.views.get(STRONG, weak)}
        unlabelled = Unlabelled(Data(task.train.lease(what), plan.flip, "unlabelled", tuple(changed.items())))
    return Now(
        progress.past.count + 1, task.classes, data, plan.courses[-1].learner, progress.learners, plan.build, unlabelled
    )


def learn(plan: Plan, now: Now, progress: Progress, run: Run) -> None:
    """Train the phases of one task in order; those that were finished before an interruption answer from the state."""
    greet(progress.learners, now.classes)
    for phase in phases(plan.courses, now, progress):
        for teacher in progress.teachers:
            progress.machine.ready(teacher)
        taken([*progress.learners.values(), *progress.teachers])
        start(plan, phase, progress)
        kept = keeping(phase)
        for source in kept:
            take_over(source, progress)
        progress.pending = {}
        for pool in kept:
            if isinstance(pool, Pool) and not pool.kept.closed:
                prepare(pool, plan, phase, progress, run)
        run.begin(phase)
        train(phase, progress, address(plan, phase, progress), run, partial(refresh, kept, plan, phase, progress, run))
        end(plan, phase, progress)
        run.end(phase)
    progress.trained = True
    run.save()


def prepare(pool: Pool, plan: Plan, phase: Phase, progress: Progress, run: Run) -> None:
    """Fill a pool that the phase draws from; while probing, with blank pictures."""
    run.begin_dreams(pool)
    if plan.lengths is not None:
        pretend(pool)
    else:
        fill(pool, progress, address(plan, phase, progress), run.after_dreams)
        progress.settle()
        run.end_dreams(pool)


def refresh(
    kept: Sequence[Pool | Refreshed], plan: Plan, phase: Phase, progress: Progress, run: Run, batch: Batch
) -> None:
    """Renew, before a step, what is to be renewed by then. While probing, pools stay as they are."""
    step = progress.work.descent.first + batch.step
    for source in kept:
        if isinstance(source, Refreshed) and source.is_due(batch.step):
            renew(source, batch, progress.machine)
        elif isinstance(source, Pool) and plan.lengths is None and source.is_due(step):
            source.empty(step)
            prepare(source, plan, phase, progress, run)
            run.begin(phase)  # goes on


def address(plan: Plan, phase: Phase, progress: Progress) -> Address:
    """(seed, task, phase). Phases beside the strategy's own are counted apart, so that they leave its randomness alone."""
    beside = progress.is_beside
    number = sum((learner == progress.beside) == beside for learner, _ in progress.finished)
    return plan.seed, progress.task, f"{'beside: ' if beside else ''}{phase.name} {number}"


def start(plan: Plan, phase: Phase, progress: Progress) -> None:
    """Put the phase's work in hand, going on from a checkpoint where there is one. While probing, nothing is looked at for it."""
    if plan.lengths is not None and isinstance(phase.start, Imprinted):
        phase = replace(phase, start=None)
    learner, descent, machine = progress.learners[phase.learner], plan.descent(phase), progress.machine
    check_length(phase, descent.options, progress.task)
    progress.training = phase.learner
    progress.steps = descent.steps
    progress.work = Work(learner, phase, descent, machine, resumed=progress.step > 0)
    progress.meter = Meter([term.name for term in phase.present], machine, plan.leak)
    refuse_another(phase, progress)
    take_up(phase, progress)


def check_length(phase: Phase, options: TrainingOptions, task: int) -> None:
    """Refuse a phase over no real pictures whose length is told in epochs."""
    if options.epochs and not phase.steps and not rows_an_epoch(phase):
        raise RequestError(
            f'phase "{phase.name}" of task {task} draws no real pictures, so its length in epochs is unknown; '
            "set training.steps in place of training.epochs."
        )


def end(plan: Plan, phase: Phase, progress: Progress) -> None:
    """Take the result of a phase's work, and put the work down."""
    progress.settle()
    work, learner = progress.work, progress.learners[phase.learner].eval().requires_grad_(True)
    progress.machine.share_buffers(learner)
    rows = rows_of(phase, work.descent, progress.machine)
    progress.seen = {name: progress.seen.get(name, 0) + count for name, count in rows.items()}
    if work.average:
        progress.averaged[phase.learner] = work.averaged()
    if not phase.ends_descent or work.options.keep_optimizer_state:
        progress.carried[phase.learner] = work.state()
    learner.zero_grad(set_to_none=True)
    if phase.ends_descent:
        progress.pools = {}
    progress.work, progress.meter, progress.training, progress.hand = None, None, "", {}


def turn_page(plan: Plan, now: Now, progress: Progress, memory: Memory) -> None:
    """The task becomes past, its training data is closed, and the next task is in hand.

    How much its weights matter is measured unless it is the last one, after which nothing is learnt, or nothing arrived in it.
    """
    idle = progress.task == len(plan.stream) or not now.data.exists
    measure = None if idle else partial(importance, plan=plan, now=now, progress=progress)
    progress.past = progress.past.after(now, memory, lambda: teachers(plan, progress), measure)
    progress.task, progress.phase, progress.step = progress.task + 1, 0, 0
    progress.trained, progress.task_seconds, progress.finished, progress.seen = False, 0.0, [], {}
    now.close()
    recall(plan, progress)


def teachers(plan: Plan, progress: Progress) -> dict[str, Teacher]:
    """The learners that teach in the next task: with raw weights, or with averaged ones where that is asked for."""
    both = "average" in progress.past.keeps
    best = {name for name, options in plan.training.items() if options.teacher_weights == "average"}
    return {
        name: frozen(progress.best[name] if name in best else learner, progress.averaged.get(name) if both else None)
        for name, learner in progress.learners.items()
    }


def importance(kind: str, plan: Plan, now: Now, progress: Progress) -> Importance:
    """How much the weights of the experiment's learner matter to the task that ends; every process measures all of it."""
    measure, passes = MEASURES[kind]
    learner, count = progress.learners[now.learner], min(progress.past.fisher_samples, len(now.data))
    found = measure(learner, Term(now.data, now.truth), count, (plan.seed, progress.task))
    taken([learner])
    progress.cost.student_passes += 3 * passes * count
    return found


def recall(plan: Plan, progress: Progress) -> None:
    """Hand all pictures of the tasks that have ended to a past that keeps everything."""
    ended = [task.told for task in plan.stream.tasks[: progress.task - 1]]
    progress.past = progress.past.with_everything(ended)
