"""Tables on a terminal, and as CSV."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from palimpsest.core.errors import RequestError
from palimpsest.core.files import check_place, make_place, write_atomically
from palimpsest.evaluation.catalog import LONG, find, in_order
from palimpsest.evaluation.headlines import headlines
from palimpsest.reports.comparison import Row, Table, compare
from palimpsest.reports.numbers import amount, duration, plain, with_error
from palimpsest.reports.results import Results

__all__ = ["compare", "render", "run_table", "write_csv"]

ABSENT = "–"
WIDEST = 40  # of a method's name, which goes on in a second line
UNBOUNDED = 10_000  # a table is first measured without the terminal's edge, which would cut its columns
PROBE = "accuracy_probe"


@dataclass(frozen=True)
class Column:
    """A heading and one text a row. `wraps` is the width at which its words go on the next line, 0 for never."""

    heading: str
    cells: tuple[str, ...]
    left: bool = False
    wraps: int = 0


@dataclass(frozen=True)
class Shown:
    """Columns as a rich renderable: those that do not fit beside the first go into tables below, which repeat it.

    groups: columns that belong together, and stay together where the terminal is wide enough.
    """

    first: Column
    groups: tuple[tuple[Column, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.title:
            yield Text(self.title, style="bold")
        for block in self.blocks(console, options):
            yield build([self.first, *block])
        yield from (Text(note, style="dim") for note in self.notes)

    def blocks(self, console: Console, options: ConsoleOptions) -> list[list[Column]]:
        """The columns of each table."""

        def fits(columns: Sequence[Column]) -> bool:
            table = build([self.first, *columns])
            return Measurement.get(console, options.update(width=UNBOUNDED), table).maximum <= options.max_width

        blocks: list[list[Column]] = [[]]
        for group in self.groups:
            if blocks[-1] and not fits([*blocks[-1], *group]):
                blocks.append([])
            for column in group:
                if blocks[-1] and not fits([*blocks[-1], column]):
                    blocks.append([])
                blocks[-1].append(column)
        return blocks


def build(columns: Sequence[Column]) -> RichTable:
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(
            column.heading,
            justify="left" if column.left else "right",
            no_wrap=not column.wraps,
            max_width=column.wraps or None,
            overflow="fold",
        )
    for texts in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, texts))
    return table


def render(table: Table) -> Shown:
    """The comparison as a rich renderable."""
    rows = table.rows

    def measured(names: Iterable[str]) -> tuple[Column, ...]:
        return tuple(column(heading(name), rows, lambda row, name=name: in_cell(row, name)) for name in names)

    about = (
        column("tasks", rows, lambda row: row.progress),
        column("seeds", rows, lambda row: str(len(row.seeds))),
        column("allowed to remember", rows, lambda row: row.allowed_to_remember, left=True, wraps=16),
        column("passes", rows, lambda row: amount(row.passes.mean) if row.passes else ABSENT),
        column("time", rows, lambda row: duration(row.seconds.mean) if row.seconds else ABSENT),
    )
    method = column("method", rows, lambda row: row.method, left=True, wraps=WIDEST)
    groups = (*map(measured, by_sampler(headlines(table.measures))), about)
    return Shown(
        method, groups, notes=(*by_extractor(table.extractor), *not_shown(table.measures, "--csv"), *table.notes)
    )


def run_table(results: Results) -> Shown:
    """One run as a rich renderable: a row a task; measures taken only at the end stand in the last row."""
    tasks = results.tasks
    measured = [task.measures for task in tasks[:-1]] + [{**tasks[-1].measures, **results.final}]
    names = in_order(name for each in measured for name in each)
    about = (
        column("classes", tasks, lambda task: ", ".join(map(results.class_name, task.classes)), left=True, wraps=32),
        *([column("time", tasks, lambda task: duration(task.seconds))] if any(t.seconds for t in tasks) else []),
    )
    groups = (
        tuple(column(heading(name), measured, lambda each, name=name: number(each, name)) for name in part)
        for part in by_sampler(headlines(names))
    )
    title = f"{results.experiment}, {results.strategy}, seed {results.seed}"
    if not results.finished:
        title += f": unfinished, {results.progress}"
    number_of = column("task", tasks, lambda task: str(task.number))
    notes = (*by_extractor(results.extractor_in_words), *probed(results), *not_shown(names, "results.json"))
    return Shown(number_of, (about, *groups), title, notes)


def probed(results: Results) -> tuple[str, ...]:
    """A note about what a linear classifier read from the features, which nobody measures without having asked for it."""
    found = [f"{task.measures[PROBE]:.4f}" for task in results.tasks if PROBE in task.measures]
    return (f"{PROBE}, task by task: {', '.join(found)}",) if found else ()


def not_shown(names: Sequence[str], where: str) -> tuple[str, ...]:
    """A note about the measures that are not headlines."""
    more = [name for name in names if name not in headlines(names) and not name.endswith(LONG)]
    return (f"also measured: {', '.join(more)} (see the report, or {where})",) if more else ()


def by_sampler(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of measures: those under the experiment's own sampler, and those under the long one."""
    return [name for name in names if not name.endswith(LONG)], [name for name in names if name.endswith(LONG)]


def column(name: str, rows: Iterable[Any], text: Callable[[Any], str], **options: Any) -> Column:
    return Column(name, tuple(text(row) for row in rows), **options)


def heading(measure: str) -> str:
    """A measure's name with an arrow to where it is better: "fid ↓"; "(long)" below it for the long sampler's."""
    entry = find(measure)
    arrow = f" {entry.arrow}" if entry and entry.better else ""
    return measure.removesuffix(LONG) + arrow + ("\n(long)" if measure.endswith(LONG) else "")


def number(measures: Mapping[str, float], name: str) -> str:
    return plain(measures[name]) if name in measures else ABSENT


def in_cell(row: Row, name: str) -> str:
    """A mean with its error; says so where not every seed of the row has the measure."""
    if name not in row.measures:
        return ABSENT
    cell = row.measures[name]
    partly = f" ({cell.count} of {len(row.seeds)})" if cell.count < len(row.seeds) else ""
    return with_error(cell.mean, cell.error) + partly


def by_extractor(words: str) -> tuple[str, ...]:
    return (f"features and labels by {words}",) if words else ()


def write_csv(table: Table, path: Path | str, force: bool = False) -> None:
    """The comparison for machines: means and standard errors in columns of their own, empty where there is none.

    A file that exists is refused unless `force` is set; it is replaced as a whole or not at all.
    """
    path = Path(path)
    check_place(path)
    if path.exists() and not force:
        raise RequestError(f'"{path}" exists already; give another name, or --force to replace it.')
    records, text = [in_csv(row, table) for row in table.rows], StringIO(newline="")
    writer = csv.DictWriter(text, records[0].keys())
    writer.writeheader()
    writer.writerows(records)
    make_place(path.parent)
    write_atomically(path, text.getvalue().encode())


def in_csv(row: Row, table: Table) -> dict[str, Any]:
    """A row of the comparison as columns of a file."""
    numbers = {name: row.measures.get(name) for name in table.measures}
    record: dict[str, Any] = {
        "method": " ".join([row.strategy, *(f"{k}={v}" for k, v in {**row.constant, **row.options}.items())]),
        "finished": row.finished,
        "tasks": row.progress,
        "seeds": " ".join(map(str, row.seeds)),
        "allowed_to_remember": row.allowed_to_remember,
    }
    for name, cell in {**numbers, "passes": row.passes, "seconds": row.seconds}.items():
        record[f"{name}_mean"] = cell.mean if cell else ""
        record[f"{name}_standard_error"] = "" if cell is None or cell.error is None else cell.error
    return record
