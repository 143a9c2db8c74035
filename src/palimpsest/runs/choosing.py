"""Which strategy a [strategy] table asks for."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from palimpsest.core.errors import RequestError
from palimpsest.core.references import is_reference
from palimpsest.strategies import catalog
from palimpsest.strategies.declare import ANY

if TYPE_CHECKING:
    from palimpsest.core.term import Strategy

# Which of both is the strategy's choice, and not the experiment's.
DENOISERS = (("denoiser",), ("conditional_denoiser",))
SIZES = ("memory_size", "per_class")  # of a memory, of which one counts


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

    Refuses one that is added to another itself, and one that trains something else than a denoiser, or a joint model.
    """
    legal = [
        each for each in map(catalog.look_up, catalog.names()) if each.learners == ANY or each.learners in DENOISERS
    ]
    legal = [each.name for each in legal if not any(option.name == "beside" for option in each.options)]
    if other.name not in legal:
        raise RequestError(f'{entry.name} cannot be added to "{other.name}"; legal for beside: {", ".join(legal)}.')
    if other.learners == ANY and learner != "joint":
        return learner
    if other.learners == ANY:
        raise RequestError(
            f"{entry.name} measures how much weights matter to one loss, and the experiment's learner, joint, has two; set learner to "
            "denoiser or classifier."
        )
    if (learner,) not in DENOISERS:
        raise RequestError(
            f"{entry.name} is added to {other.name}, which trains the {other.learners[0]}, and the experiment's learner "
            f"is the {learner}; set learner, or beside to a strategy for any, such as finetune."
        )
    return other.learners[0]


def check_source(entry: catalog.Entry, source: str, beside: str) -> None:
    """Refuse synthetic pictures that are remembered ones, of a strategy that remembers none. beside: the one that it is added to, or ""."""
    keeps = entry.keeps | (catalog.find(beside).keeps if beside else frozenset())
    if source == "memory" and "memory" not in keeps:
        raise RequestError(
            f'synthetic.source is "memory", and strategy {entry.name} keeps none; choose one that does, such as lucir.'
        )


def one_size(strategy: str, options: Mapping[str, Any], said: Collection[str]) -> dict[str, Any]:
    """A strategy's options, in which a size of the memory that was said for this run replaces the experiment's other one.

    said: names of the options that were. Refuses two sizes; 0 is none, and replaces nothing.
    """
    sizes = {name: options[name] for name in SIZES if name in said and options.get(name, 0) > 0}
    if len(sizes) == len(SIZES):
        found = " and ".join(f"{name} = {value}" for name, value in sizes.items())
        raise RequestError(
            f"the memory of {strategy} was given two sizes, {found}; give memory_size, which is of all pictures, or per_class, "
            "which is of each class's."
        )
    return {name: 0 if sizes and name in SIZES and name not in sizes else value for name, value in options.items()}
