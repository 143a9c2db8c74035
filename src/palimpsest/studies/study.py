"""A study: strategies × seeds × settings of one experiment, each a run in a process of its own."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palimpsest.core.errors import Interrupted, RequestError, RunError
from palimpsest.core.files import check_place, make_place
from palimpsest.core.stopping import stoppable
from palimpsest.core.words import counted
from palimpsest.runs.config import Experiment, resolve
from palimpsest.runs.deciding import leaves
from palimpsest.runs.tables import read_experiment
from palimpsest.studies import children
from palimpsest.studies.axes import listed, parse_seeds
from palimpsest.studies.children import Child
from palimpsest.studies.display import StudyDisplay
from palimpsest.studies.grid import Method, Planned, methods_of, plan, published_methods

PAUSE = 0.2  # seconds between two looks at the runs
FEW = 3  # other runs that are named


@dataclass(frozen=True)
class StudyOutcome:
    """How a study ended.

    out: its folder.  finished: the folders of the runs that are done.  failed: why the others are not, by folder.
    """

    out: Path
    finished: tuple[Path, ...]
    failed: Mapping[Path, str]

    def check(self) -> None:
        """Raise RunError where a run failed, naming each with what it said last, and its log."""
        if self.failed:
            named = "; ".join(f"{path.name}: {why} (see {path}.log)" for path, why in self.failed.items())
            count = len(self.failed) + len(self.finished)
            raise RunError(f"{len(self.failed)} of {count} runs failed, and the same command tries them again: {named}")


def study(
    experiment: str | Path = "digits",
    *,
    strategies: str | Sequence[str] | None = None,
    seeds: str | Sequence[int] | None = None,
    set: Mapping[str, Sequence[Any]] | None = None,
    jobs: int = 1,
    out: str | Path,
    published: bool = False,
    display: StudyDisplay | None = None,
) -> StudyOutcome:
    """Run what is missing of strategies × seeds × settings under one experiment, and go on with what was cut off.

    experiment: a name from `palimpsest list experiments`, or a TOML file.  strategies, seeds: sequences, or texts with
    commas; default the experiment's own strategy, and its `seeds` or else its seed.  set: the values that each dotted
    key takes; a key below strategy.NAME varies that strategy alone.  published: exactly the experiment's published rows
    (those of `strategies` where some are named).  out: each run lies in OUT/STRATEGY[-changed settings]-seedN, and what
    it says in a .log beside it.

    jobs: so many runs at a time, each with an equal share of the CPU's cores as its threads, unless `set` gives
    engine.threads; a single one takes what the experiment says. The number of threads decides a run's bits, so that
    studies with another number of jobs agree up to rounding; a run that is resumed keeps its own.

    Raises RequestError before anything is started where any run would be refused, or where OUT has a run of the same
    name with another configuration; Interrupted, with the runs' states saved, on Ctrl-C and SIGTERM. A run that fails
    does not stop the others: see `StudyOutcome.check`.
    """
    if jobs < 1:
        raise RequestError(f"--jobs is how many runs go on at a time, from 1, and was given {jobs}.")
    tables = read_experiment(experiment)
    plain, axes = resolve(tables), listed(set or {})
    methods = chosen_methods(tables, plain, strategies, axes, published)
    planned = plan(tables, methods, parse_seeds(seeds if seeds is not None else plain.seeds or (plain.seed,)))
    refuse_mixture(planned)
    folder = Path(out)
    check_place(folder)
    if (folder / "config.toml").exists():
        raise RequestError(f"{folder} is a run, and a study's folder holds runs; choose another --out.")
    runs = [children.find(each, folder) for each in planned]
    make_place(folder)
    explicit = "engine.threads" in axes or (jobs == 1 and plain.engine.threads)
    threads = 0 if explicit else max(cores() // jobs, 1)
    display = display or StudyDisplay()
    display.say(opening(runs, jobs, threads))
    if others := others_in(folder, runs):
        named = ", ".join(others[:FEW]) + (f", and {len(others) - FEW} more" if len(others) > FEW else "")
        display.say(f"{folder} also holds runs of other studies, which are left out: {named}")
    work(runs, str(experiment), jobs, threads, display)
    return StudyOutcome(
        out=folder,
        finished=tuple(run.path for run in runs if run.state == "done"),
        failed={run.path: run.why for run in runs if run.state == "failed"},
    )


def refuse_mixture(planned: Sequence[Planned]) -> None:
    """Refuse runs whose numbers could not stand in one table: other pictures, other features or other labels."""
    first = measured_on(planned[0].experiment)
    for run in planned[1:]:
        other = measured_on(run.experiment)
        if key := next((key for key in {**first, **other} if first.get(key) != other.get(key)), ""):
            raise RequestError(
                f'runs with another {key} cannot stand in one table, and a study ends with one; give each value of "{key}" '
                "a study of its own."
            )


def measured_on(experiment: Experiment) -> dict[str, Any]:
    """What decides whether two runs can be compared, by dotted key."""
    found = leaves(experiment)
    free = {"stream.tasks", "stream.order", "stream.order_seed", "stream.flip", "stream.limit"}
    measuring = ("stream.", "evaluation.extractor", "evaluation.evaluator.")
    return {key: value for key, value in found.items() if key.startswith(measuring) and key not in free}


def chosen_methods(
    tables: Mapping[str, Any],
    experiment: Experiment,
    strategies: str | Sequence[str] | None,
    axes: Mapping[str, Sequence[Any]],
    published: bool,
) -> list[Method]:
    """What is compared: strategies × settings, or the published rows."""
    if strategies == "":
        raise RequestError("--strategies names none; give names with commas between them, or leave it out.")
    names = strategies.split(",") if isinstance(strategies, str) else list(strategies or ())
    names = [name.strip() for name in names]
    if published:
        return published_methods(experiment, names, axes)
    return methods_of(tables, names or [experiment.strategy.reference], axes)


def others_in(folder: Path, runs: Sequence[Child]) -> list[str]:
    """The names of runs in the folder that this study does not ask for."""
    asked = {run.path.name for run in runs}
    return sorted(path.parent.name for path in folder.glob("*/config.toml") if path.parent.name not in asked)


def opening(runs: Sequence[Child], jobs: int, threads: int) -> str:
    """What is going to be done, in a line."""
    done, resumed = len(in_state(runs, "done")), sum(run.resumed for run in in_state(runs, "waiting"))
    share = f"{threads} of {cores()} cores each" if threads else "with the threads that were asked for"
    return f"{counted(len(runs), 'run')}: {done} done before, {resumed} to go on with; {jobs} at a time, {share}"


def work(runs: Sequence[Child], experiment: str, jobs: int, threads: int, display: StudyDisplay) -> None:
    """See all runs to their end, so many at a time; on the wish to stop, let those at work save their states."""
    asked = False
    with stoppable() as stop, display:
        try:
            while at_work(runs) or (in_state(runs, "waiting") and not stop.asked):
                if stop.asked and not asked:
                    asked = True
                    display.say("stopping: the runs at work save their states")
                    stop_all(runs)
                if not asked:
                    for run in in_state(runs, "waiting")[: jobs - len(at_work(runs))]:
                        children.start(run, experiment, threads)
                display.show(runs)
                time.sleep(PAUSE)
                for run in at_work(runs):
                    children.look(run, stopping=asked)
        finally:
            display.show(runs)
            stop_all(runs)  # none is left but where something was raised above
    if in_state(runs, "waiting") or in_state(runs, "interrupted"):
        raise Interrupted


def in_state(runs: Sequence[Child], state: children.State) -> list[Child]:
    return [run for run in runs if run.state == state]


def at_work(runs: Sequence[Child]) -> list[Child]:
    return in_state(runs, "running")


def stop_all(runs: Sequence[Child]) -> None:
    """Ask the runs at work to save their states and end."""
    for run in at_work(runs):
        children.stop(run)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
