"""Which strategy a [strategy] table asks for."""

from typing import TYPE_CHECKING, Any

from palimpsest.core.errors import RequestError
from palimpsest.core.references import is_reference
from palimpsest.strategies import catalog
from palimpsest.strategies.declare import ANY

if TYPE_CHECKING:
    from palimpsest.core.term import Strategy

DENOISERS = (
    ("denoiser",),
    ("conditional_denoiser",),
)  # which of both is the strategy's choice, and not the experiment's


def asked_for(chosen: Any, strategy: "str | Strategy | None", named_anew: bool) -> "str | Strategy":
    """The strategy that was given, or that a [strategy] table asks for. named_anew: its name was set; a place is another's."""
    if not isinstance(chosen, dict):
        raise RequestError(
            f'"strategy" is a table and was given "{chosen}"; say --strategy {chosen}, or name = "{chosen}" below [strategy].'
        )
    if not (strategy or chosen.get("name")):
        raise RequestError('the experiment names no strategy; say --strategy NAME, or name = "..." below [strategy].')
    place, name = "" if named_anew else chosen.get("place") or "", chosen.get("name")
    if not strategy and place and place.rpartition(":")[2] != name:
        raise RequestError(
            f'[strategy] has name = "{name}" and the place of another, "{place}"; take the place out, or change both.'
        )
    return strategy or place or name


def own_name(chosen: Any) -> str:
    """What the user's own strategy that a [strategy] table asks for is called, as its options' table is; "" for another."""
    name = str(chosen.get("name", "")) if isinstance(chosen, dict) else ""
    return name.rpartition(":")[2] if is_reference(name) or (name and chosen.get("passed_in")) else ""


def learner_beside(entry: catalog.Entry, other: catalog.Entry, learner: str) -> str:
    """The learner of a strategy that is added to another: what that one trains, or the experiment's where it serves any.

    Refuses one that is added to another itself, and one that trains something else than a denoiser.
    """
    legal = [
        each for each in map(catalog.look_up, catalog.names()) if each.learners == ANY or each.learners in DENOISERS
    ]
    legal = [each.name for each in legal if not any(option.name == "beside" for option in each.options)]
    if other.name not in legal:
        raise RequestError(f'{entry.name} cannot be added to "{other.name}"; legal for beside: {", ".join(legal)}.')
    if other.learners == ANY:
        return learner
    if (learner,) not in DENOISERS:
        raise RequestError(
            f"{entry.name} is added to {other.name}, which trains the {other.learners[0]}, and the experiment's learner "
            f"is the {learner}; set learner, or beside to a strategy for any, such as finetune."
        )
    return other.learners[0]
