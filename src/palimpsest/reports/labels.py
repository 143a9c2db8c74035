"""What tells the rows of a table apart, beside the names of strategies."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from palimpsest.reports.results import Results

EXPERIMENT = "experiment "
# The options of each strategy by its name; by EXPERIMENT the settings of any experiment, and by EXPERIMENT and its name those of one.
Defaults = Mapping[str, Mapping[str, Any]]


def completed(runs: Sequence[Results], defaults: Defaults | None) -> list[Results]:
    """The runs, with the options and settings that came after them at their defaults, which are what was done before there were any."""
    defaults = defaults or {}
    usual = defaults.get(EXPERIMENT, {})
    return [
        replace(
            run,
            options={**defaults.get(run.strategy, {}), **run.options},
            settings={**usual, **run.settings} if run.settings else {},
        )
        for run in runs
    ]


def differing(runs: Sequence[Results]) -> tuple[str, ...]:
    """The settings that are not the same in all runs whose config.toml could be read; of strategies, in those that had them."""
    known = [run.settings for run in runs if run.settings]
    keys = dict.fromkeys(key for settings in known for key in settings)
    return tuple(key for key in keys if varies(key, known))


def varies(key: str, known: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a setting has several values."""
    having = [each for each in known if key in each] if key.startswith("strategy.") else known
    return any(each.get(key) != having[0].get(key) for each in having)


def varied(runs: Sequence[Results], what: str, of: Callable[[Results], Hashable]) -> dict[Hashable, frozenset[str]]:
    """By each group that has several rows, of which a run each is given: what varies among them, of "options" or of "settings"."""
    groups: dict[Hashable, list[Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault(of(run), []).append(getattr(run, what))
    return {
        group: frozenset(name for each in rows for name in each if varies(name, rows))
        for group, rows in groups.items()
        if len(rows) > 1
    }


def method_of(run: Results) -> tuple[str, str]:
    """The strategy and the experiment."""
    return run.strategy, run.experiment


def labels_of(
    rows: Sequence[Results], defaults: Defaults | None = None, experiments: bool = False, seeds: bool = False
) -> "Labels":
    """What tells rows apart, of which a run each is given."""
    options, settings = varied(rows, "options", lambda run: run.strategy), varied(rows, "settings", method_of)
    return Labels(defaults or {}, differing(rows), experiments, seeds, options, settings)


@dataclass(frozen=True)
class Labels:
    """What has to be said beside a strategy's name to tell the rows of a table apart.

    settings: those that are not the same in all rows.  varied: by each strategy that has several rows, the names of its options that vary
    among them.  varied_settings: of settings, by strategy and experiment.
    """

    defaults: Defaults
    settings: tuple[str, ...]
    experiments: bool
    seeds: bool
    varied: Mapping[str, frozenset[str]]
    varied_settings: Mapping[tuple[str, str], frozenset[str]]

    def of(self, run: Results) -> dict[str, Any]:
        """What is said in the row of a run."""
        experiment = {"experiment": run.experiment} if self.experiments else {}
        options = {name: run.options[name] for name in run.options if name in self.varied.get(run.strategy, ())}
        options |= {} if run.strategy in self.varied else self.unusual(run)
        settings = {name: run.settings[name] for name in self.settings if self.is_said(name, run)}
        return {**experiment, **options, **settings, **({"seed": run.seed} if self.seeds else {})}

    def is_said(self, name: str, run: Results) -> bool:
        """Whether a setting in which rows differ is named in this one: not where all of the strategy have what the experiment has."""
        if name not in run.settings:
            return False
        usual = self.defaults.get(EXPERIMENT + run.experiment, {})
        as_usual = name in usual and usual[name] == run.settings[name]
        return not as_usual or name in self.varied_settings.get(method_of(run), ())

    def constant(self, run: Results) -> dict[str, Any]:
        """What would be said in all rows of its strategy alike, if there are several."""
        varied = self.varied.get(run.strategy)
        return {} if varied is None else {k: v for k, v in self.unusual(run).items() if k not in varied}

    def unusual(self, run: Results) -> dict[str, Any]:
        """The options that are not the defaults."""
        usual = self.defaults.get(run.strategy, {})
        return {name: value for name, value in run.options.items() if name not in usual or usual[name] != value}


def assigned(settings: Mapping[str, Any]) -> list[str]:
    """Such as "two_stage=true": a setting each, spelt as in config.toml."""
    spelt = {name: str(value).lower() if isinstance(value, bool) else value for name, value in settings.items()}
    return [f"{name}={value}" for name, value in spelt.items()]


def listed(settings: Mapping[str, Any]) -> str:
    """Such as "teacher_steps=10, reuse=10"."""
    return ", ".join(assigned(settings))
