"""How a strategy says what it is: what it may keep of the past, and which learners it trains."""

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from palimpsest.core.errors import RequestError, unknown

if TYPE_CHECKING:
    from palimpsest.core.term import Strategy

KEEPS = {
    "teacher": "a frozen copy of each learner",
    "average": "the averaged weights of each teacher, beside the raw ones",
    "fisher": "how much each weight mattered to past tasks, and what it was",
    "rank1_fisher": "a mean gradient and the weights of each past task",
    "memory": "a few pictures of each past task",
    "everything": "all pictures of all past tasks",
}
SIZES = {
    "memory": ("memory_size", "the number of pictures kept in all"),
    "fisher": ("fisher_samples", "the number of pictures that it is measured on"),
    "rank1_fisher": ("fisher_samples", "the number of pictures that it is measured on"),
}
ANY = "any"
PREDICTORS = ("softmax", "nearest_mean")


def strategy(
    *, keeps: Iterable[str] = (), learners: Iterable[str] | str = ("denoiser",), predicts: str = "softmax"
) -> Callable:
    """Declare a strategy.

    keeps: what the past may hold for it: "teacher", "average", "fisher" or "rank1_fisher" (from so
        many pictures as the option `fisher_samples` says), "memory" (its size is the option `memory_size`), "everything".
        What the strategy that an option `beside` names may keep, it may keep, too.
    learners: the learners that it trains, which the experiment sizes; "any" is the one that the experiment names.
    predicts: how it says which class a picture shows: by the classifier's last layer ("softmax"), or by the nearest mean of its
        remembered pictures ("nearest_mean").
    """
    if predicts not in PREDICTORS:
        raise unknown("predictor", predicts, PREDICTORS)
    keeps = frozenset(keeps)
    if wrong := sorted(keeps - set(KEEPS)):
        raise RequestError(f"a strategy cannot keep {', '.join(wrong)}; legal: {', '.join(KEEPS)}.")

    def declare(function: "Strategy") -> "Strategy":
        for what, (option, meaning) in SIZES.items():
            if what in keeps and option not in inspect.signature(function).parameters:
                raise RequestError(
                    f'strategy {function.__name__} keeps a "{what}" but has no option {option}; add the keyword '
                    f"argument {option}, {meaning}."
                )
        function.keeps = keeps
        function.learners = learners if learners == ANY else tuple(learners)
        function.predicts = predicts
        return function

    return declare
