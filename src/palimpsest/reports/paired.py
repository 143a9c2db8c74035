"""Differences between methods, seed by seed: what data order and noise have in common cancels."""

from collections.abc import Sequence
from dataclasses import replace

from palimpsest.core.errors import RequestError
from palimpsest.reports.comparison import Table, compare, method
from palimpsest.reports.labels import completed
from palimpsest.reports.results import Results


def differences(runs: Sequence[Results], base: Results, defaults: dict | None = None, each: bool = False) -> Table:
    """The table of all other methods, each measure of a run less that of the base method's run with the same seed.

    base: a run of the method that the others are compared with; its other seeds are among `runs`.  each: as in `compare`.
    Raises RequestError as `compare` does, and where no other method shares a seed with the base.
    """
    if base.path not in [run.path for run in runs]:
        runs = [base, *runs]
    base, *runs = completed([base, *runs], defaults)
    whole = compare(runs, defaults)
    twins = {run.seed: run for run in runs if run.finished and method(run) == method(base)}
    others = [run for run in runs if run.finished and method(run) != method(base)]
    paired = [
        replace(run, final={name: run.measures[name] - twin.measures[name] for name in common})
        for run in others
        if (twin := twins.get(run.seed)) and (common := both(run, twin))
    ]
    if not paired:
        raise RequestError(
            f'no other method has a finished run with a seed of "{base.path}" (found: {", ".join(map(str, sorted(twins))) or "none"}); '
            "compare runs of the same seeds."
        )
    said = f"differences from {base.strategy} ({base.path.name}), seed by seed; passes and times are the runs' own"
    table = compare(paired, defaults, each=each)
    return replace(table, extractor=whole.extractor, notes=(said, *table.notes))


def both(run: Results, twin: Results) -> list[str]:
    """The measures that both runs have."""
    return [name for name in run.measures if name in twin.measures]
