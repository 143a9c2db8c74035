"""What decides a run's numbers, by dotted key: what two runs differ in."""

import tomllib
from typing import Any

from palimpsest.core.tables import flat
from palimpsest.runs.config import Experiment, strategy_beside, to_toml
from palimpsest.strategies import catalog

NOTHING = ("about", "deliver", "stream.path", "stream.on_device")  # words, and places


def leaves(experiment: Experiment) -> dict[str, Any]:
    """All that decides a run's numbers, by dotted key: an experiment without the engine, but with its precisions."""
    options = {name: experiment.options_of(name) for name in deciding(experiment)}
    tables = tomllib.loads(to_toml(experiment)) | {"engine": precisions(experiment)}
    place = {"place": experiment.strategy.place} if experiment.strategy.place else {}
    tables |= {"strategy": {"name": experiment.strategy.name, **place, **options}}
    return {key: value for key, value in flat(tables) if key not in NOTHING}


def precisions(experiment: Experiment) -> dict[str, str]:
    """What of the engine decides numbers on purpose."""
    return experiment.engine.model_dump(include={"precision", "dream_precision"})


def deciding(experiment: Experiment) -> tuple[str, ...]:
    """The strategies whose options decide a run: its own, and that of the classifier beside it where there is one."""
    own = experiment.strategy.name
    beside = strategy_beside(experiment, catalog.find(experiment.strategy.reference).learners)
    return tuple(dict.fromkeys(name for name in (own, experiment.added_to(own), beside) if name))


def first_difference(one: Experiment, other: Experiment) -> str:
    """The key of the first thing that decides numbers and is not the same in both; "" where all is."""
    here, there = leaves(one), leaves(other)
    return next((key for key in {**here, **there} if here.get(key) != there.get(key)), "")
