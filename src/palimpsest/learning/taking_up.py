"""What a phase goes on from: a checkpoint of itself, the phase before it, or the last task."""

from collections.abc import Mapping
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.core.term import Phase
from palimpsest.learning.progress import Progress
from palimpsest.learning.work import below


def refuse_another(phase: Phase, progress: Progress) -> None:
    """Refuse a checkpoint that was taken in another phase than the one to go on with: a strategy's code is not in its options."""
    then, progress.hand = progress.hand, hand_of(phase, progress.steps)
    if progress.pending and then and then != progress.hand:
        raise no_such(progress, f"in {told(then)}", told(progress.hand))


def take_up(phase: Phase, progress: Progress) -> None:
    """Give the work what it goes on from: the checkpoint's, that of the phase before, or the last task's optimizer state."""
    work, carried = progress.work, progress.carried.pop(phase.learner, None)
    if below(progress.pending, "meter."):
        work.load(below(progress.pending, "work."))
        progress.meter.load(below(progress.pending, "meter."))
    elif phase.goes_on and carried is None:
        raise RequestError(
            f'phase "{phase.name}" of task {progress.task} goes on with a descent at {phase.span[0]:g}, and no phase before it '
            f"has begun one; let the {phase.learner} first have a phase from 0 to {phase.span[0]:g}."
        )
    elif phase.goes_on:
        work.load(carried)
    elif carried is not None and work.options.keep_optimizer_state:
        work.load_optimizer(below(carried, "optimizer."))


def hand_of(phase: Phase, steps: int) -> dict[str, Any]:
    """What tells a phase from others in a checkpoint, ready for JSON."""
    return {
        "name": phase.name,
        "learner": phase.learner,
        "steps": steps,
        "losses": [term.name for term in phase.present],
    }


def told(hand: Mapping[str, Any]) -> str:
    """A phase in words."""
    return f'phase "{hand["name"]}" ({hand["steps"]} steps of the {hand["learner"]} over {", ".join(hand["losses"])})'


def no_such(progress: Progress, then: str, now: str) -> RequestError:
    """What to say of a checkpoint that was taken elsewhere than the strategy would have come to."""
    return RequestError(
        f"the checkpoint was taken {then} of task {progress.task}, and the strategy asks for {now} there; change the strategy back, or "
        "train into another folder."
    )
