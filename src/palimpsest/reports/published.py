"""Our numbers beside a paper's: the published rows of an experiment and the runs that repeat them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.core.tables import flat
from palimpsest.reports.comparison import Cell, cell, method, refuse_mixture
from palimpsest.reports.labels import Labels, assigned, completed, labels_of
from palimpsest.reports.numbers import with_error
from palimpsest.reports.results import Results, decides
from palimpsest.reports.table import ABSENT, WIDEST, Shown, column, heading

MEASURES = (
    "fid",
    "kld",
    "accuracy",
    "average_incremental_accuracy",
    "average_incremental_accuracy_nearest_mean",
    "base_forgetting",
)  # what a published row may hold
EXTRACTOR, EVALUATOR = "inception", "resnet18"  # the paper's, as the names of ours begin


@dataclass(frozen=True)
class Beside:
    """One number: ours, the paper's (mean, standard error; or the mean alone), and how far apart they are in standard errors.

    deviation: (ours − paper)/√(se_ours² + se_paper²); None where it cannot be computed, or would mean nothing.
    """

    ours: Cell | None
    paper: tuple[float, ...] | None
    deviation: float | None


@dataclass(frozen=True)
class Row:
    """A method with its seeds and the paper's tables that print it."""

    method: str
    seeds: tuple[int, ...]
    table: str
    measures: Mapping[str, Beside]


@dataclass(frozen=True)
class PublishedTable:
    """Rows in the paper's order, and what has to be known to read them."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def compare_published(
    runs: Sequence[Results],
    published: Mapping[str, Any],
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    ddof: int = 0,
) -> PublishedTable:
    """Finished runs beside the published rows with the same strategy and options.

    published: "experiment", "seeds", "settings" (the experiment's resolved tables) and "rows", each with "table",
    "strategy", "options" (all of them), "settings" (those in which rows differ), "note", and what of `MEASURES` is printed, as
    (mean, error).
    defaults: as in `comparison.compare`.  ddof: 0, as the authors' report has it.
    Raises RequestError where no run repeats a published row, and for runs that must not stand in one table.
    """
    done = [run for run in completed(runs, defaults) if run.finished and run.experiment == published["experiment"]]
    if done:
        refuse_mixture(done)
    groups: dict[Any, list[Results]] = {}
    for run in done:
        groups.setdefault(method(run), []).append(run)
    shown = labels_of([several[0] for several in groups.values()], defaults)
    pairs = [(row, each) for row in published["rows"] for each in groups.values() if repeats(each[0], row)]
    if not pairs:
        raise RequestError(
            f"none of the {len(runs)} runs is a finished one of a published row of {published['experiment']}; "
            f"`palimpsest study {published['experiment']} --published` makes them."
        )
    rows = tuple(beside(row, several, shown, ddof) for row, several in pairs)
    return PublishedTable(rows, notes(pairs, rows, runs, published, ddof))


def repeats(run: Results, row: Mapping[str, Any]) -> bool:
    """Whether a run is of a published row's method."""
    settings = row.get("settings", {})
    alike = all(run.settings.get(key) == value for key, value in settings.items())
    return alike and (run.strategy, dict(run.options)) == (row["strategy"], dict(row["options"]))


def beside(row: Mapping[str, Any], several: Sequence[Results], labels: Labels, ddof: int) -> Row:
    """The row of one method."""
    found = {}
    for name in MEASURES:
        values = [run.measures[name] for run in several if name in run.measures]
        ours, paper = cell(values, ddof) if values else None, row.get(name)
        comparable = measured_alike(name, several[0])
        found[name] = Beside(ours, paper, deviation(ours, paper) if comparable else None)
    options = labels.of(several[0]) | labels.constant(several[0])
    text = "\n".join([row["strategy"], *assigned(options)])
    return Row(text, tuple(sorted(run.seed for run in several)), row["table"], found)


def measured_alike(name: str, run: Results) -> bool:
    """Whether a measure is taken with the network that the paper takes it with, so that the numbers can be compared."""
    if name == "fid":
        return is_named(run.extractor, EXTRACTOR)
    return name != "kld" or is_named(run.evaluator, EVALUATOR)


def deviation(ours: Cell | None, paper: tuple[float, ...] | None) -> float | None:
    """(ours − paper)/√(se_ours² + se_paper²); None where a part is missing, or both errors are 0."""
    if ours is None or paper is None or ours.error is None or len(paper) < 2:
        return None
    error = math.hypot(ours.error, paper[1])
    return (ours.mean - paper[0]) / error if error else None


def is_named(record: Mapping[str, Any], name: str) -> bool:
    """Whether an extractor or evaluator is of this kind."""
    return str(record.get("name", "")).lower().startswith(name)


def notes(
    pairs: Sequence[tuple[Mapping[str, Any], Sequence[Results]]],
    rows: Sequence[Row],
    runs: Sequence[Results],
    published: Mapping[str, Any],
    ddof: int,
) -> tuple[str, ...]:
    """What has to be known to read the table rightly."""
    used = [run for _, several in pairs for run in several]
    said = [f"mean ± standard error over seeds (ddof {ddof}); σ: (ours − paper) in combined standard errors"]
    said += other_measuring(used[0], {name for row in rows for name, each in row.measures.items() if each.ours})
    said += other_seeds(rows, published["seeds"])
    varied = {key for row in published["rows"] for key in row.get("settings", {})}
    said += other_settings(used, published["settings"], varied)
    if any(
        row.measures[name].deviation is not None and not row.measures[name].paper[1]
        for row in rows
        for name in MEASURES
    ):
        said.append("an error that the paper prints as 0.00 is taken as 0, so those deviations are upper limits")
    if any(each.paper and len(each.paper) < 2 for row in rows for each in row.measures.values()):
        said.append("a published number whose error is not known has no deviation")
    if any(len(row.seeds) == 1 for row in rows):
        said.append("a single seed has no standard error, and so no deviation")
    if rest := [str(run.path) for run in runs if run not in used]:
        said.append(f"no published row for, or not finished: {', '.join(rest)}")
    said += dict.fromkeys(f"{row['strategy']}: {row['note']}" for row, _ in pairs if row.get("note"))
    return tuple(said)


def other_measuring(run: Results, measured: set[str]) -> list[str]:
    """Where what measures is not what the paper measured with."""
    said = []
    if "fid" in measured and not is_named(run.extractor, EXTRACTOR):
        name = run.extractor.get("name", "an unknown extractor")
        said.append(f"fid: ours is in the features of {name}, and the paper's in those of Inception-v3: no deviation")
    if "kld" in measured:
        name = run.evaluator.get("name", "an unknown evaluator")
        less = "" if measured_alike("kld", run) else ": no deviation"
        said.append(
            f"kld: ours is by the labels of {name}, and the paper's by those of its own ResNet-18, from ImageNet's weights{less}"
        )
    return said


def other_seeds(rows: Sequence[Row], seeds: Sequence[int]) -> list[str]:
    """Where a method has not the paper's seeds."""
    others = [row for row in rows if seeds and set(row.seeds) != set(seeds)]
    named = "; ".join(f"{row.method.replace(chr(10), ' ')}: {', '.join(map(str, row.seeds))}" for row in others)
    return (
        [f"the paper's seeds are {', '.join(map(str, seeds))}, and these methods have others: {named}"]
        if others
        else []
    )


def other_settings(used: Sequence[Results], tables: Mapping[str, Any], varied: set[str]) -> list[str]:
    """Settings of the runs that are not the published experiment's, but for those that rows vary."""
    expected = {key: value for key, value in flat(tables) if decides(key) and key not in varied}
    found = {
        f"{key} = {value} (published: {expected[key]})"
        for run in used
        for key, value in run.settings.items()
        if key in expected and value != expected[key]
    }
    return [f"not run as published: {', '.join(sorted(found))}"] if found else []


def render_published(table: PublishedTable) -> Shown:
    """The table as a rich renderable: for each measure ours, the paper's and the deviation."""
    rows = table.rows

    def group(name: str) -> tuple:
        return (
            column(heading(name) + "\nours", rows, lambda row: ours_in_words(row.measures[name])),
            column("\npaper", rows, lambda row: paper_in_words(row.measures[name])),
            column("\nσ", rows, lambda row: ABSENT if (d := row.measures[name].deviation) is None else f"{d:+.1f}"),
        )

    about = column("seeds", rows, lambda row: str(len(row.seeds))), column("table", rows, lambda row: row.table)
    shown = [name for name in MEASURES if any(row.measures[name].paper or row.measures[name].ours for row in rows)]
    first = column("method", rows, lambda row: row.method, left=True, wraps=WIDEST)
    return Shown(first, (*map(group, shown), about), "ours beside the paper's", table.notes)


def ours_in_words(number: Beside) -> str:
    return with_error(number.ours.mean, number.ours.error) if number.ours else ABSENT


def paper_in_words(number: Beside) -> str:
    """With its error to two decimals, as it is printed; a number alone as it stands."""
    if not number.paper:
        return ABSENT
    mean, *error = number.paper
    return f"{mean:.2f} ± {error[0]:.2f}" if error else f"{mean:g}"
