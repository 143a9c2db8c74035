"""Gathers what run directories hold for the page: results, events, settings; damage becomes a sentence."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.reports.comparison import Cell, Row, Table, cell, compare
from palimpsest.reports.comparison import method as method_of
from palimpsest.reports.labels import completed
from palimpsest.reports.results import FILE, Results, Task, folder_of, load_results

TRACES = (FILE, "config.toml", "events.jsonl")


@dataclass(frozen=True)
class Run:
    """One run directory. results: None where they cannot be read, and then `problem` says why, in a sentence."""

    folder: Path
    results: Results | None
    problem: str
    events: tuple[Mapping[str, Any], ...]
    environment: Mapping[str, Any]
    config: str

    @property
    def name(self) -> str:
        if self.results is None:
            return self.folder.name
        return f"{self.results.strategy}, seed {self.results.seed}"

    def said(self, event: str) -> Iterator[Mapping[str, Any]]:
        """The events of one kind, in order."""
        return (each for each in self.events if each.get("event") == event)


@dataclass(frozen=True)
class Method:
    """What one line of a figure shows: a row of the table with its runs, all its seeds or one that is not finished.

    name: on one line.  place: from 0, decides colour, dashes and marker.  row: None where no results could be read.
    """

    name: str
    place: int
    row: Row | None
    runs: tuple[Run, ...]

    @property
    def results(self) -> tuple[Results, ...]:
        return tuple(run.results for run in self.runs if run.results)

    @property
    def finished(self) -> bool:
        return self.row is not None and self.row.finished

    def task_numbers(self) -> list[int]:
        return sorted({task.number for results in self.results for task in results.tasks})

    def over_seeds(self, number: int, value: Callable[[Task], float | None]) -> Cell | None:
        """A number after one task, over all seeds; None where one lacks it, for a mean of the others would flatter."""
        tasks = [task for results in self.results for task in results.tasks if task.number == number]
        return complete(value(task) for task in tasks)


@dataclass(frozen=True)
class Gathered:
    """All that the page is made of. table: None where no run has results."""

    methods: tuple[Method, ...]
    table: Table | None

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(run for method in self.methods for run in method.runs)

    @property
    def measured(self) -> tuple[Method, ...]:
        """The methods that have results."""
        return tuple(method for method in self.methods if method.row)


def gather(
    paths: Sequence[Path], defaults: Mapping[str, Mapping[str, Any]] | None = None, said: Sequence[str] = ()
) -> Gathered:
    """Reads run directories and puts the seeds of a method together, as the comparison does. said: notes before the table's own.

    Raises RequestError for a place that is no run directory, and for runs that must not stand in one table.
    """
    runs = [read_run(Path(path)) for path in paths]
    whole, damaged = [run for run in runs if run.results], [run for run in runs if not run.results]
    whole = [replace(run, results=completed([run.results], defaults)[0]) for run in whole]
    table = compare([run.results for run in whole], defaults).with_notes(said) if whole else None
    parts = [(row.method.replace("\n", ", "), row, several) for row, several in zip(rows_of(table), grouped(whole))]
    parts += [(run.name, None, [run]) for run in damaged]
    return Gathered(tuple(Method(name, place, row, tuple(of)) for place, (name, row, of) in enumerate(parts)), table)


def rows_of(table: Table | None) -> tuple[Row, ...]:
    return table.rows if table else ()


def grouped(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs of each row of the comparison, in its order: finished methods, then unfinished runs alone."""
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        if run.results.finished:
            groups.setdefault(method_of(run.results), []).append(run)
    several = [sorted(group, key=lambda run: run.results.seed) for group in groups.values()]
    return several + [[run] for run in runs if not run.results.finished]


def read_run(path: Path) -> Run:
    """What is there of a run; RequestError where nothing is."""
    folder = folder_of(path)
    results, problem = None, ""
    try:
        results = load_results(path)
    except RequestError as error:
        if not any((folder / name).exists() for name in TRACES):
            raise
        problem = str(error)
    events = tuple(read_events(folder / "events.jsonl"))
    return Run(folder, results, problem, events, read_environment(folder), read_text(folder / "config.toml"))


def read_events(path: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a log that are whole; damaged ones are left out."""
    for line in read_text(path).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def read_environment(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(read_text(folder / "environment.json"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def read_text(path: Path) -> str:
    """A file's text, "" where there is none; bytes that are no UTF-8 show as �."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def is_number(value: Any) -> bool:
    """Whether a value that stood in a file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def mean(values: Any) -> Cell | None:
    """Mean and standard error of those values that are numbers; None where there is none."""
    found = [float(value) for value in values if is_number(value)]
    return cell(found) if found else None


def complete(values: Any) -> Cell | None:
    """Mean and standard error of values of which none is missing; None otherwise."""
    found = list(values)
    return mean(found) if all(is_number(value) for value in found) else None
