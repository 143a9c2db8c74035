"""How a strategy says what it is: what it may keep of the past, and which learners it trains."""

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from palimpsest.core.errors import RequestError

if TYPE_CHECKING:
    from palimpsest.core.term import Strategy

KEEPS = {
    "teacher": "a frozen copy of each learner",
    "average": "the averaged weights of each teacher, beside the raw ones",
    "memory": "a few pictures of each past task",
    "everything": "all pictures of all past tasks",
}
ANY = "any"


def strategy(*, keeps: Iterable[str] = (), learners: Iterable[str] | str = ("denoiser",)) -> Callable:
    """Declare a strategy.

    keeps: what the past may hold for it: "teacher", "average", "memory" (its size is the option
        `memory_size`), "everything".
    learners: the learners that it trains, which the experiment sizes; "any" is the one that the experiment names.
    """
    keeps = frozenset(keeps)
    if wrong := sorted(keeps - set(KEEPS)):
        raise RequestError(f"a strategy cannot keep {', '.join(wrong)}; legal: {', '.join(KEEPS)}.")

    def declare(function: "Strategy") -> "Strategy":
        if "memory" in keeps and "memory_size" not in inspect.signature(function).parameters:
            raise RequestError(
                f'strategy {function.__name__} keeps a "memory" but has no option memory_size; add the keyword '
                "argument memory_size, the number of pictures kept in all."
            )
        function.keeps = keeps
        function.learners = learners if learners == ANY else tuple(learners)
        return function

    return declare
