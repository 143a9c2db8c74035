"""What strategies for classes that arrive one after another have in common. No strategy, but parts of several."""

from collections.abc import Iterator, Sequence

from palimpsest.core.term import Phase, Target, Term
from palimpsest.sources import Featured


def old_and_new(now, past) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The classes of the past, and those of the present task that were not there before."""
    return past.classes, tuple(number for number in now.classes if number not in past.classes)


def balanced(
    learner: str, now, past, left, targets: Sequence[Target], epochs: int, frozen: tuple[str, ...] = (), **how
) -> Iterator[Phase]:
    """The last layer alone learns, from as many pictures of each class; nothing without epochs, or before there are old classes.

    learner: its name.  left: what the phase before left behind.  frozen: what does not learn in the last layer.
    how: the start, where it is not what was left, and the rate and the schedule of the phase.
    """
    if epochs and all(old_and_new(now, past)):
        even = Featured(past.balanced(now, left.learner), left.learner)
        terms, below = [Term(even, target) for target in targets], left.learner.below_the_head
        yield Phase(learner, terms, freeze=(*below, *frozen), name="balance", epochs=epochs, **{"start": left, **how})
