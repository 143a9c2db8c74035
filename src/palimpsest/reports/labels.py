"""What tells the rows of a table apart, beside the names of strategies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from palimpsest.reports.results import Results

Defaults = Mapping[str, Mapping[str, Any]]  # of each strategy's options by its name, and of the experiment's settings by EXPERIMENT
EXPERIMENT = ""


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


def options_of_rows(runs: Sequence[Results]) -> dict[str, frozenset[str]]:
    """By each strategy that has several rows, of which a run each is given: the names of the options that vary among them."""
    found = {strategy: [run.options for run in runs if run.strategy == strategy] for strategy in {r.strategy for r in runs}}
    return {
        strategy: frozenset(name for options in rows for name in options if varies(name, rows))
        for strategy, rows in found.items()
        if len(rows) > 1
    }


@dataclass(frozen=True)
class Labels:
    """What has to be said beside a strategy's name to tell the rows of a table apart.

    varied: by each strategy that has several rows, the names of its options that vary among them.
    """

    defaults: Mapping[str, Mapping[str, Any]]
    settings: tuple[str, ...]
    experiments: bool
    seeds: bool = False
    varied: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, run: Results) -> dict[str, Any]:
        """What is said in the row of a run."""
        experiment = {"experiment": run.experiment} if self.experiments else {}
        options = {name: run.options[name] for name in run.options if name in self.varied.get(run.strategy, ())}
        options |= {} if run.strategy in self.varied else self.unusual(run)
        settings = {name: run.settings[name] for name in self.settings if name in run.settings}
        return {**experiment, **options, **settings, **({"seed": run.seed} if self.seeds else {})}

    def constant(self, run: Results) -> dict[str, Any]:
        """What would be said in all rows of its strategy alike, if there are several."""
        varied = self.varied.get(run.strategy)
        return {} if varied is None else {k: v for k, v in self.unusual(run).items() if k not in varied}

    def unusual(self, run: Results) -> dict[str, Any]:
        """The options that are not the defaults."""
        usual = self.defaults.get(run.strategy, {})
        return {name: value for name, value in run.options.items() if name not in usual or usual[name] != value}


def listed(settings: Mapping[str, Any]) -> str:
    """Such as "teacher_steps=10, reuse=10"."""
    return ", ".join(f"{name}={value}" for name, value in settings.items())
