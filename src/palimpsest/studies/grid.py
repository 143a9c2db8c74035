"""The runs of a study: strategies × seeds × settings, each resolved, named, and told from the others."""

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.runs.config import Experiment, resolve, to_toml
from palimpsest.runs.deciding import deciding, leaves
from palimpsest.runs.naming import name_of
from palimpsest.runs.published import PublishedRow
from palimpsest.strategies import catalog
from palimpsest.studies.axes import combinations, owner_of


@dataclass(frozen=True)
class Planned:
    """One run of a study. name: of its folder.  settings: by dotted key, as `train --set` takes them."""

    name: str
    strategy: str
    seed: int
    settings: Mapping[str, Any]
    experiment: Experiment


@dataclass(frozen=True)
class Method:
    """A strategy with the settings that it is run with."""

    strategy: str
    settings: Mapping[str, Any]


def methods_of(tables: Mapping[str, Any], strategies: Sequence[str], axes: Mapping[str, Sequence[Any]]) -> list[Method]:
    """Strategies × settings. What is set in a strategy's table varies only the methods that it decides."""
    decided_by = {strategy: deciding(resolve(tables, strategy)) for strategy in strategies}
    known = {name for names in decided_by.values() for name in names}
    for key in axes:
        if owner_of(key) not in ("", *known):
            catalog.look_up(owner_of(key))
            raise RequestError(
                f'"{key}" is set, and no run of the study has that strategy; those that have options here are '
                f"{', '.join(sorted(known))}."
            )
    return [
        Method(strategy, settings)
        for strategy in strategies
        for settings in combinations({key: axes[key] for key in axes if owner_of(key) in ("", *decided_by[strategy])})
    ]


def published_methods(
    experiment: Experiment, strategies: Sequence[str], axes: Mapping[str, Sequence[Any]]
) -> list[Method]:
    """The methods of the published rows; some strategies' alone where `strategies` names any."""
    if not experiment.published:
        raise RequestError(f"the experiment {experiment.name} has no published rows; it needs a [[published]] list.")
    there = dict.fromkeys(row.strategy for row in experiment.published)
    for name in strategies:
        if name not in there:
            raise RequestError(
                f"no published row of {experiment.name} has the strategy {name}; legal: {', '.join(there)}."
            )
    for key in axes:
        if owner_of(key):
            raise RequestError(
                f'"{key}" is set, and the published rows say themselves what their strategies\' options are.'
            )
    of_rows = [method_of(row) for row in experiment.published if row.strategy in (strategies or there)]
    once = [method for place, method in enumerate(of_rows) if method not in of_rows[:place]]  # two papers may print one
    return [replace(each, settings=each.settings | more) for each in once for more in combinations(axes)]


def method_of(row: PublishedRow) -> Method:
    """The method whose numbers a published row holds."""
    options = {f"strategy.{row.strategy}.{name}": value for name, value in row.options.items()}
    return Method(row.strategy, options | row.settings)


def published_of(tables: Mapping[str, Any]) -> dict[str, Any]:
    """What `reports.published` needs of an experiment: name, seeds, resolved tables, and rows with all their options.

    tables: as `read_experiment` gives them. Raises RequestError for an experiment without published rows.
    """
    experiment = resolve(tables)
    published_methods(experiment, (), {})  # there are some
    varied = {key for row in experiment.published for key in row.settings}
    rows = []
    for row in experiment.published:
        method = method_of(row)
        run = resolve(tables, method.strategy, settings=method.settings)
        found = {key: value for key, value in leaves(run).items() if key in varied}
        rows.append(row.model_dump() | {"options": run.options, "settings": found})
    settings = tomllib.loads(to_toml(experiment))
    return {"experiment": experiment.name, "seeds": list(experiment.seeds), "settings": settings, "rows": rows}


def plan(tables: Mapping[str, Any], methods: Sequence[Method], seeds: Sequence[int]) -> tuple[Planned, ...]:
    """Every method with every seed, seed by seed, so that a study that is cut off has all methods on equal seeds.

    Raises RequestError for a combination that is no experiment, and for two runs that would be the same.
    """
    planned: dict[str, Planned] = {}
    for seed, method in itertools.product(seeds, methods):
        experiment = resolve(tables, method.strategy, settings={**method.settings, "seed": seed})
        name = name_of(experiment, resolve(tables, method.strategy))
        if name in planned:
            places = planned[name].experiment.strategy.place, experiment.strategy.place
            if places[0] != places[1]:
                raise RequestError(
                    f"two strategies of the study are called alike, {' and '.join(places)}; rename one of them."
                )
            raise RequestError(
                f"two runs of the study would be the same, {name}; name every strategy, seed and value once."
            )
        planned[name] = Planned(name, method.strategy, seed, method.settings, experiment)
    return tuple(planned.values())
