"""Joint (cumulative) training: all data so far, the upper target."""

from palimpsest.core.term import Phase, Term
from palimpsest.sources import union
from palimpsest.strategies import strategy


@strategy(keeps={"everything"}, learners="any")
def joint(now, past):
    """Learn from all data so far, kept for good: the target that the others are measured against.

    L_k = E_{data of tasks 1…k} d(truth, f_θ), going on from the weights of the task before.
    """
    return Phase(now.learner, [Term(union(now.data, past.everything), now.truth, 1.0)])
