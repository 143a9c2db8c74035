"""What there is to choose from, in one table a kind. Imports nothing heavy: all is read from files."""

import ast
from collections.abc import Callable
from pathlib import Path

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from palimpsest.core.errors import unknown
from palimpsest.diffusion.catalog import SAMPLERS
from palimpsest.evaluation.catalog import MEASURES
from palimpsest.runs.tables import experiment_names, read_experiment
from palimpsest.strategies import catalog

STREAMS = Path(__file__).parent.parent / "streams"
STREAM_FILES = ("digits", "parquet", "folder", "hub")


def experiments() -> dict[str, str]:
    return {name: read_experiment(name).get("about", "") for name in experiment_names()}


def strategies() -> dict[str, str]:
    return {name: described(catalog.look_up(name)) for name in catalog.names()}


def described(entry: catalog.Entry) -> str:
    """What a strategy is, with its options and what it keeps."""
    options = ", ".join(f"{option.name}={option.default}" for option in entry.options)
    keeps = ", ".join(sorted(entry.keeps)) or "nothing"
    return f"{entry.summary} [dim]Keeps {keeps}." + (f" Options: {options}." if options else "") + "[/dim]"


def streams() -> dict[str, str]:
    """The first sentence of each stream's function, from the syntax tree of the file of its name; and how to name one's own."""
    found = {}
    for name in STREAM_FILES:
        tree = ast.parse((STREAMS / f"{name}.py").read_text(encoding="utf-8"))
        function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
        found[name] = escape((ast.get_docstring(function) or "").splitlines()[0])
    return found | {"mine.py:tasks": "Tasks that a function of your own returns, also as package.module:function."}


def samplers() -> dict[str, str]:
    return dict(SAMPLERS)


def measures() -> dict[str, str]:
    return {m.name: f"{m.description} [dim]{m.unit}, {m.direction}[/dim]" for m in MEASURES.values()}


KINDS: dict[str, Callable[[], dict[str, str]]] = {
    kind.__name__: kind for kind in (experiments, strategies, streams, samplers, measures)
}


def listing(what: str = "") -> Group:
    """One kind, or all of them; an unknown kind is refused with the near match."""
    if what and what not in KINDS:
        raise unknown("kind of list", what, KINDS)
    return Group(*(table(kind, KINDS[kind]()) for kind in ([what] if what else KINDS)))


def table(kind: str, entries: dict[str, str]) -> Table:
    """Names and what they are."""
    made = Table(
        title=kind, title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    made.add_column(no_wrap=True, style="cyan")
    made.add_column()
    for name, text in entries.items():
        made.add_row(name, text)
    return made
