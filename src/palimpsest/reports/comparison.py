"""The comparison of several runs: methods × measures, mean ± standard error over seeds."""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.catalog import COPIES, SAMPLES, find, in_order
from palimpsest.reports.labels import Labels, assigned, completed, differing, labels_of, listed
from palimpsest.reports.results import Results

DECIDING = ("stream.", "evaluation.evaluator", "evaluation.extractor")  # begin the settings that decide what looks at samples


@dataclass(frozen=True)
class Cell:
    """A mean over `count` seeds and its standard error, which a single seed does not have."""

    mean: float
    error: float | None
    count: int


@dataclass(frozen=True)
class Row:
    """A method: its finished runs with all their seeds, or one unfinished run.

    options: those of the strategy, and settings, that tell the compared rows apart; of a strategy with one row, those that are
    not its defaults.  constant: of a strategy with several rows, those that are not its defaults and the same in all of them.
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
    constant: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return "\n".join([self.strategy, *assigned(self.options)])


@dataclass(frozen=True)
class Table:
    """Rows in the order in which their methods were first named, unfinished runs last; measures in catalog order."""

    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    extractor: str
    notes: tuple[str, ...] = ()

    def with_notes(self, first: Sequence[str]) -> "Table":
        """The table with these notes before its own."""
        return replace(self, notes=(*first, *self.notes))


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

    defaults: the options of each strategy as its signature (or the experiment) has them, and settings as `labels.Defaults` has them; runs
    of an earlier version are completed with them, and options and settings that equal them are not shown, but where they vary among the
    rows of a strategy.  ddof: what is taken off the number of seeds in the variance, 1, or 0 as some papers have it.
    each: every run in a row of its own, named with its seed, and no means.
    Raises RequestError for runs that must not stand in one table: different extractors or streams, or the same method
    and seed twice.
    """
    if not runs:
        raise RequestError("there is nothing to compare; give at least one run directory.")
    runs = completed(runs, defaults)
    refuse_mixture(runs)
    groups: dict[tuple[Method, int | None], list[Results]] = {}
    for run in runs:
        if run.finished:
            groups.setdefault((method(run), run.seed if each else None), []).append(run)
    several = [*groups.values(), *([run] for run in runs if not run.finished)]
    experiments = len({run.experiment for run in runs}) > 1
    shown = labels_of([group[0] for group in several], defaults, experiments, each)
    rows = tuple(row(group, shown, ddof) for group in several)
    names = in_order(name for line in rows for name in line.measures)
    extractor = next((run.extractor_in_words for run in runs if run.extractor), "")
    return Table(rows, tuple(names), extractor, (*notes(rows, ddof, each), *without_samples(runs), *unequal_steps(runs)))


def refuse_mixture(runs: Sequence[Results]) -> None:
    """Numbers from two extractors or two streams do not compare, and one run must not count as two seeds.

    A run whose samples nothing looked at, such as a classifier's, has no extractor, and no number that would need one.
    """
    first = runs[0]
    for other in runs[1:]:
        if other.stream != first.stream:
            raise mixture("streams", first, json.dumps(first.stream), other, json.dumps(other.stream))
    looked_at = [run for run in runs if not is_without_samples(run)]
    first = next(iter(looked_at), first)
    for other in looked_at[1:]:
        for what in ("extractor", "evaluator"):
            here, there = getattr(first, what), getattr(other, what)
            if there.get("sha256") != here.get("sha256"):
                raise mixture(f"{what}s", first, named(here), other, named(there), looked_at_by(first, other))
    seen: dict[tuple[Method, int], Results] = {}
    for run in runs:
        twin = seen.setdefault((method(run), run.seed), run)
        if twin is not run:
            raise RequestError(
                f'"{twin.path}" and "{run.path}" are the same method with the same seed {run.seed}; leave one out, '
                "for a seed must not count twice."
            )


def is_without_samples(run: Results) -> bool:
    """Whether nothing has looked at samples of the run."""
    return not (run.extractor or is_sampled(run))


def is_sampled(run: Results) -> bool:
    """Whether something was measured of samples."""
    found = {name for task in run.tasks for name in task.measures} | run.final.keys()
    return any((entry := find(name)) and entry.taken_over in (SAMPLES, COPIES) for name in found)


def looked_at_by(first: Results, other: Results) -> str:
    """The settings in which two runs differ and that decide what looks at samples, which learns from the stream's pictures."""
    keys = [key for key in differing([first, other]) if key.startswith(DECIDING)]
    return f" (they differ in {', '.join(keys)})" if keys else ""


def mixture(what: str, first: Results, here: str, other: Results, there: str, why: str = "") -> RequestError:
    return RequestError(
        f'runs with different {what} do not compare: "{first.path}" has {here}, "{other.path}" has {there}{why}; '
        "compare them apart."
    )


def named(extractor: Mapping[str, Any]) -> str:
    return f"{extractor['name']} ({extractor['sha256'][:12]})" if extractor else "none"


def method(run: Results) -> Method:
    options, settings = (json.dumps(each, sort_keys=True, default=str) for each in (run.options, run.settings))
    return Method(run.experiment, run.strategy, options, settings)


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
        constant=labels.constant(first),
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
    for strategy, constant in {line.strategy: line.constant for line in rows if line.constant}.items():
        said.append(f"{strategy} has {listed(constant)} in all rows")
    if any(line.measures and len(line.seeds) > 1 for line in rows):
        said.append(f"mean ± standard error over seeds (ddof {ddof})")
    if not each:
        said.extend(other_seeds([line for line in rows if line.finished]))
    if any(not line.finished for line in rows):
        said.append("unfinished runs stand alone, with the measures after their last finished task: never averaged")
    return tuple(said)


def without_samples(runs: Sequence[Results]) -> tuple[str, ...]:
    """A note that names the strategies of which no samples were measured, where those of others were."""
    names = dict.fromkeys(run.strategy for run in runs if not is_sampled(run))
    if not names or not any(map(is_sampled, runs)):
        return ()
    return (f"no samples of {', '.join(names)} were measured, so that only accuracies compare with the others",)


def unequal_steps(runs: Sequence[Results]) -> tuple[str, ...]:
    """A note where finished runs have had more optimizer steps than others, as epochs over more pictures take."""
    steps = {sum(task.seen.get("steps", 0) for task in run.tasks) for run in runs if run.finished} - {0}
    return (f"runs have from {min(steps):,} to {max(steps):,} optimizer steps",) if len(steps) > 1 else ()


def other_seeds(rows: Sequence[Row]) -> tuple[str, ...]:
    """A note that names the methods by their seeds, where not all have the same."""
    methods: dict[tuple[int, ...], list[str]] = {}
    for each in rows:
        methods.setdefault(each.seeds, []).append(each.method.replace("\n", " "))
    if len(methods) < 2:
        return ()
    named = "; ".join(f"{', '.join(names)}: {', '.join(map(str, seeds))}" for seeds, names in methods.items())
    return (f"not every method has the same seeds, so their means are not over the same draws: {named}",)
