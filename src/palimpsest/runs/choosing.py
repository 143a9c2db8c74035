"""Which strategy a [strategy] table asks for."""

from typing import TYPE_CHECKING, Any

from palimpsest.core.errors import RequestError
from palimpsest.core.references import is_reference
from palimpsest.strategies import catalog
from palimpsest.strategies.declare import ANY

if TYPE_CHECKING:
    from palimpsest.core.term import Strategy


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


def check_added(entry: catalog.Entry, other: catalog.Entry) -> None:
    """Refuse to add a strategy to one that is added to another itself, or that trains other learners."""
    legal = [name for name in catalog.names() if catalog.look_up(name).learners in (ANY, ("denoiser",))]
    legal = [name for name in legal if not any(option.name == "beside" for option in catalog.look_up(name).options)]
    if other.name not in legal:
        raise RequestError(f'{entry.name} cannot be added to "{other.name}"; legal for beside: {", ".join(legal)}.')
