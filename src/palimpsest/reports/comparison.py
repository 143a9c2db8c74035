"""The comparison of several runs: methods × measures, mean ± standard error over seeds."""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.catalog import find, in_order
from palimpsest.reports.results import Results


@dataclass(frozen=True)
class Cell:
    """A mean over `count` seeds and its standard error, which a single seed does not have."""

    mean: float
    error: float | None
    count: int


@dataclass(frozen=True)
class Row:
    """A method: its finished runs with all their seeds, or one unfinished run.

    options: those of the strategy that are not its defaults, and settings that tell the compared runs apart.
    """

    strategy: str
    options: Mapping[str, Any]
    finished: bool
    progress: str
    seeds: tuple[int, ...]
    allowed_to_remember: str
    measures: Mapping[str, Cell]
    passes: Cell | None
    seconds: Cell | None

    @property
    def method(self) -> str:
        return "\n".join([self.strategy, *(f"{name}={value}" for name, value in self.options.items())])


@dataclass(frozen=True)
class Table:
    """Rows in the order in which their methods were first named, unfinished runs last; measures in catalog order."""

    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    extractor: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """What makes runs the same method: all but the seed. Options and settings as sorted JSON."""

    experiment: str
    strategy: str
    options: str
    settings: str


def compare(
    runs: Sequence[Results],
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    ddof: int = 1,
    each: bool = False,
) -> Table:
    """The table of some runs.

    defaults: the options of each strategy as its signature (or the experiment) has them; options that equal them
    are not shown.  ddof: what is taken off the number of seeds in the variance, 1, or 0 as some papers have it.
    each: every run in a row of its own, named with its seed, and no means.
    Raises RequestError for runs that must not stand in one table: different extractors or streams, or the same method
    and seed twice.
    """
    if not runs:
        raise RequestError("there is nothing to compare; give at least one run directory.")
    refuse_mixture(runs)
    shown = Labels(defaults or {}, differing(runs), len({run.experiment for run in runs}) > 1, each)
    groups: dict[tuple[Method, int | None], list[Results]] = {}
    for run in runs:
        if run.finished:
            groups.setdefault((method(run), run.seed if each else None), []).append(run)
    unfinished = ([run] for run in runs if not run.finished)
    rows = tuple(row(several, shown, ddof) for several in (*groups.values(), *unfinished))
    names = in_order(name for line in rows for name in line.measures)
    return Table(rows, tuple(names), runs[0].extractor_in_words, notes(rows, ddof, each))


def refuse_mixture(runs: Sequence[Results]) -> None:
    """Numbers from two extractors or two streams do not compare, and one run must not count as two seeds."""
    first = runs[0]
    for other in runs[1:]:
        if other.stream != first.stream:
            raise mixture("streams", first, json.dumps(first.stream), other, json.dumps(other.stream))
        for what in ("extractor", "evaluator"):
            here, there = getattr(first, what), getattr(other, what)
            if there.get("sha256") != here.get("sha256"):
                raise mixture(f"{what}s", first, named(here), other, named(there))
    seen: dict[tuple[Method, int], Results] = {}
    for run in runs:
        twin = seen.setdefault((method(run), run.seed), run)
        if twin is not run:
            raise RequestError(
                f'"{twin.path}" and "{run.path}" are the same method with the same seed {run.seed}; leave one out, '
                "for a seed must not count twice."
            )


def mixture(what: str, first: Results, here: str, other: Results, there: str) -> RequestError:
    return RequestError(
        f'runs with different {what} do not compare: "{first.path}" has {here}, "{other.path}" has {there}; '
        "compare them apart."
    )


def named(extractor: Mapping[str, Any]) -> str:
    return f"{extractor['name']} ({extractor['sha256'][:12]})" if extractor else "none"


def method(run: Results) -> Method:
    options, settings = (json.dumps(each, sort_keys=True, default=str) for each in (run.options, run.settings))
    return Method(run.experiment, run.strategy, options, settings)


def differing(runs: Sequence[Results]) -> tuple[str, ...]:
    """The settings that are not the same in all runs whose config.toml could be read; of strategies, in those that had them."""
    known = [run.settings for run in runs if run.settings]
    keys = dict.fromkeys(key for settings in known for key in settings)
    return tuple(key for key in keys if varies(key, known))


def varies(key: str, known: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a setting has several values."""
    having = [each for each in known if key in each] if key.startswith("strategy.") else known
    return any(each.get(key) != having[0].get(key) for each in having)


@dataclass(frozen=True)
class Labels:
    """What has to be said beside a strategy's name to tell the rows of a table apart."""

    defaults: Mapping[str, Mapping[str, Any]]
    settings: tuple[str, ...]
    experiments: bool
    seeds: bool = False

    def of(self, run: Results) -> dict[str, Any]:
        usual = self.defaults.get(run.strategy, {})
        experiment = {"experiment": run.experiment} if self.experiments else {}
        options = {name: value for name, value in run.options.items() if name not in usual or usual[name] != value}
        settings = {name: run.settings[name] for name in self.settings if name in run.settings}
        return {**experiment, **options, **settings, **({"seed": run.seed} if self.seeds else {})}


def row(several: Sequence[Results], labels: Labels, ddof: int = 1) -> Row:
    """One row from the runs of one method."""
    first = several[0]
    names = dict.fromkeys(name for run in several for name in run.measures)
    return Row(
        strategy=first.strategy,
        options=labels.of(first),
        finished=first.finished,
        progress=first.progress,
        seeds=tuple(sorted(run.seed for run in several)),
        allowed_to_remember=first.allowed_to_remember,
        measures={name: cell((run.measures[name] for run in several if name in run.measures), ddof) for name in names},
        passes=cell_of_cost(several, ddof, "student_passes", "teacher_passes"),
        seconds=cell_of_cost(several, ddof, "seconds"),
    )


def cell(values: Iterable[float], ddof: int = 1) -> Cell:
    """Mean and standard error s/√n, s with n − ddof in its denominator (0 or 1)."""
    values = list(values)
    deviation = statistics.stdev if ddof else statistics.pstdev
    error = deviation(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return Cell(statistics.fmean(values), error, len(values))


def cell_of_cost(several: Sequence[Results], ddof: int, *parts: str) -> Cell | None:
    """The sum of some parts of the cost; None where a run did not count one of them."""
    if any(part not in run.cost for run in several for part in parts):
        return None
    return cell((float(sum(run.cost[part] for part in parts)) for run in several), ddof)


def best(rows: Sequence[Row], name: str) -> float | None:
    """The best mean of a measure over finished methods of which every seed has it; None where there is no competition."""
    entry = find(name)
    cells = [(row.measures[name], len(row.seeds)) for row in rows if row.finished and name in row.measures]
    means = [each.mean for each, seeds in cells if each.count == seeds]
    if len(means) < 2 or not (entry and entry.better):
        return None
    return min(means) if entry.better == "lower" else max(means)


def notes(rows: Sequence[Row], ddof: int, each: bool = False) -> tuple[str, ...]:
    """What has to be known to read the table rightly."""
    said = []
    if any(line.measures and len(line.seeds) > 1 for line in rows):
        said.append(f"mean ± standard error over seeds (ddof {ddof})")
    if not each:
        said.extend(other_seeds([line for line in rows if line.finished]))
    if any(not line.finished for line in rows):
        said.append("unfinished runs stand alone, with the measures after their last finished task: never averaged")
    return tuple(said)


def other_seeds(rows: Sequence[Row]) -> tuple[str, ...]:
    """A note that names the methods by their seeds, where not all have the same."""
    methods: dict[tuple[int, ...], list[str]] = {}
    for each in rows:
        methods.setdefault(each.seeds, []).append(each.method.replace("\n", " "))
    if len(methods) < 2:
        return ()
    named = "; ".join(f"{', '.join(names)}: {', '.join(map(str, seeds))}" for seeds, names in methods.items())
    return (f"not every method has the same seeds, so their means are not over the same draws: {named}",)
