"""What commands show when they are done."""

from collections.abc import Collection, Sequence
from pathlib import Path

import typer


def show(run: object, model: Path | None = None) -> None:
    """The result table of a run, its page, and where its files are; said by the first process alone."""
    from palimpsest.reports.page import write_report
    from palimpsest.reports.results import load_results
    from palimpsest.reports.section_kept import kept_in_words, learnt_in_words
    from palimpsest.reports.table import run_table

    if not run.results:
        return
    results = load_results(run.path)
    print_rich(run_table(results))
    usual = defaults([results.experiment])
    report = write_report([run.path], run.path / "report.html", defaults=usual, said=in_all_runs([run.path]), force=True)
    last = len(run.results["tasks"])
    typer.echo(f"run      {run.path}\nmodel    {model or run.path / 'models' / f'task_{last}'}")
    for what, name in (("before", "task_1_before"), ("samples", f"task_{last}")):
        if (sheet := run.path / "samples" / f"{name}.png").exists():  # a classifier alone has none
            typer.echo(f"{what:8} {sheet}")
    for what, in_words in (("kept", kept_in_words), ("learnt", learnt_in_words)):
        if said := in_words(results.tasks[-1]):
            typer.echo(f"{what:8} {said}")
    typer.echo(f"report   {report}")


def delivered(run: Path) -> Path | None:
    """The taught pipeline around the run of an `update`; None for other runs."""
    return run.parent if run.name == "run" and (run.parent / "model_index.json").exists() else None


def defaults(experiments: Collection[str] | None = None) -> dict[str, dict[str, object]]:
    """The options of all strategies, and the settings of any experiment and of those that are named, or of all that are included."""
    from palimpsest.core.tables import flat
    from palimpsest.reports.labels import EXPERIMENT
    from palimpsest.reports.results import decides
    from palimpsest.runs.config import as_json, default_tables, resolve
    from palimpsest.runs.tables import experiment_names, read_experiment
    from palimpsest.strategies import catalog

    def deciding(tables: dict) -> dict[str, object]:
        return {key: value for key, value in flat(tables) if decides(key) and value is not None}

    included = [name for name in experiment_names() if experiments is None or name in experiments]
    options = {name: {o.name: o.default for o in catalog.look_up(name).options} for name in catalog.names()}
    settings = {EXPERIMENT + name: deciding(as_json(resolve(read_experiment(name)))) for name in included}
    return options | {EXPERIMENT: deciding(default_tables())} | settings


def in_all_runs(runs: Sequence[Path]) -> tuple[str, ...]:
    """A note on the settings that all runs share and their experiment has otherwise.

    None where one cannot be read, and for an experiment that does not come with the package.
    """
    from palimpsest.core.errors import RequestError
    from palimpsest.reports.labels import listed
    from palimpsest.reports.results import load_results
    from palimpsest.runs.config import resolve
    from palimpsest.runs.deciding import leaves
    from palimpsest.runs.tables import experiment_names, read_experiment

    try:
        found = [load_results(run) for run in runs]
    except RequestError:
        return ()
    names = {run.experiment for run in found}
    if len(names) > 1 or not names <= set(experiment_names()):
        return ()
    usual, settings = leaves(resolve(read_experiment(names.pop()))), [run.settings for run in found]
    shared = {key: value for key, value in settings[0].items() if all(each.get(key) == value for each in settings)}
    changed = {key: value for key, value in shared.items() if usual.get(key, value) != value}
    return (f"{'all runs have' if len(found) > 1 else 'the run has'} {listed(changed)}",) if changed else ()


def print_rich(thing: object) -> None:
    """Print what rich can print."""
    from rich.console import Console

    Console(highlight=False).print(thing)
