"""What strategies there are, read from the files' syntax trees: nothing is imported, least of all torch."""

import ast
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from palimpsest.core import references
from palimpsest.core.errors import RequestError, unknown

FOLDER = Path(__file__).parent
NOT_STRATEGIES = {"__init__", "catalog", "declare", "incremental", "taught"}
KINDS = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True)
class Option:
    """An option of a strategy: a keyword argument of its signature, with the docstring's line about it."""

    name: str
    kind: type
    default: object
    help: str


@dataclass(frozen=True)
class Entry:
    """A strategy as it stands in its file, or a function of the user's own.

    passed_in: it is the user's own.  place: the reference that finds it again; "" where it was passed in from Python.
    """

    name: str
    doc: str
    options: tuple[Option, ...]
    keeps: frozenset[str]
    learners: tuple[str, ...] | str
    passed_in: bool = False
    place: str = ""

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.splitlines()[0]


def names() -> list[str]:
    """Every strategy, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NOT_STRATEGIES)


def look_up(name: str) -> Entry:
    """A strategy by name, without importing it; an unknown name is refused with the near match."""
    if name not in names():
        raise unknown("strategy", name, names())
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    doc = ast.get_docstring(function) or ""
    declared = {kw.arg: ast.literal_eval(kw.value) for kw in function.decorator_list[0].keywords}
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    options = tuple(read_option(argument, default, doc) for argument, default in pairs)
    return Entry(name, doc, options, frozenset(declared["keeps"]), declared["learners"])


def read_option(argument: ast.arg, default: ast.expr, doc: str) -> Option:
    """An option from its place in the signature."""
    kind = KINDS[ast.unparse(argument.annotation)]
    return Option(argument.arg, kind, ast.literal_eval(default), explained(argument.arg, doc))


def explained(option: str, doc: str) -> str:
    """What a docstring says of an option, in a line `name: what it is`."""
    lines = (line.strip() for line in doc.splitlines())
    return next((line.partition(": ")[2] for line in lines if line.startswith(f"{option}: ")), "")


def load(name: str) -> Callable:
    """The strategy itself, by its name or by a reference to one of the user's own."""
    if references.is_reference(name):
        return references.load(name, "strategy")
    look_up(name)
    return getattr(import_module(f"palimpsest.strategies.{name}"), name)


def find(strategy: str | Callable) -> Entry:
    """The entry of a strategy by name, of one of the user's own by a reference, or of a function declared with `@strategy`."""
    if isinstance(strategy, str):
        return find_own(strategy) if references.is_reference(strategy) else look_up(strategy)
    name = getattr(strategy, "__name__", str(strategy))
    if not hasattr(strategy, "keeps"):
        raise RequestError(f"{name} is not declared as a strategy; put @palimpsest.strategy(keeps=...) above it.")
    parameters = inspect.signature(strategy).parameters.values()
    keywords = [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for keyword in keywords:
        if type(keyword.default) not in KINDS.values():
            raise RequestError(
                f"option {keyword.name} of strategy {name} needs a default that is a number, a text, true or false."
            )
    doc = inspect.getdoc(strategy) or name
    options = tuple(Option(k.name, type(k.default), k.default, explained(k.name, doc)) for k in keywords)
    here = strategy.__module__ == f"palimpsest.strategies.{name}"
    return Entry(name, doc, options, strategy.keeps, strategy.learners, passed_in=not here)


def find_own(reference: str) -> Entry:
    """The entry of a strategy of the user's own, which has one name, and not that of an included one: tables go by it."""
    entry, asked = find(load(reference)), reference.rpartition(":")[2]
    if entry.name != asked:
        raise RequestError(f'the strategy "{reference}" is the function {entry.name}; ask for it by that name.')
    if entry.name in names():
        raise RequestError(
            f'the strategy "{reference}" is called {entry.name}, and a strategy of that name is included; call it otherwise.'
        )
    return replace(entry, place=references.settled(reference))


def check_options(entry: Entry, options: Mapping[str, object]) -> dict[str, object]:
    """All options of a strategy, the given ones converted to their kinds; an unknown or ill-typed one is refused."""
    if not isinstance(options, Mapping):
        raise RequestError(f'the options of strategy {entry.name} are a table, and it was given "{options}".')
    known = {option.name: option for option in entry.options}
    for asked in options:
        if asked not in known:
            raise unknown(f"option of strategy {entry.name}", asked, known)
    return {
        option.name: converted(entry, option, options[option.name]) if option.name in options else option.default
        for option in known.values()
    }


def converted(entry: Entry, option: Option, given: object) -> object:
    """The given value as the option's kind."""
    if isinstance(given, bool) is (option.kind is bool) and isinstance(given, (int, float, str)):
        try:
            value = option.kind(given)
        except (ValueError, OverflowError):
            value = None
        sound = value is not None and (option.kind is not int or float(given) == value)
        if sound and is_below(option, value) and not entry.passed_in:
            raise RequestError(f"option {option.name} of strategy {entry.name} is a number from 0, and was given {given}.")
        if sound and (option.kind is not float or math.isfinite(value)):
            return value
    kind = option.kind.__name__
    raise RequestError(f'option {option.name} of strategy {entry.name} is of kind {kind}, and was given "{given}".')


def is_below(option: Option, value: object) -> bool:
    """Whether it is a number below 0, where none of an included strategy's means anything."""
    return option.kind in (int, float) and value < 0
