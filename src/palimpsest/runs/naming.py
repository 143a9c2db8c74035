"""What a run's folder is called."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palimpsest.runs.config import Experiment, resolve
from palimpsest.runs.deciding import leaves

LONGEST = 40  # characters of a value in a folder's name
LONGEST_NAME = 200  # of all settings: file systems take 255 bytes, and a log's name is longer than its folder's


def default_place(experiment: Experiment, tables: Mapping[str, Any]) -> Path:
    """runs/EXPERIMENT/STRATEGY[-changed options]-seedN."""
    changed = [f"{name}{safe(value)}" for name, value in changed_options(experiment, tables).items()]
    return Path("runs") / experiment.name / "-".join([experiment.strategy.name, *changed, f"seed{experiment.seed}"])


def changed_options(experiment: Experiment, tables: Mapping[str, Any]) -> dict[str, Any]:
    """The strategy's options that differ from the experiment's own defaults: they name the run's folder."""
    if experiment.strategy.passed_in and not experiment.strategy.place:
        return {}
    plain = resolve(tables, experiment.strategy.reference)
    return {name: value for name, value in experiment.options.items() if plain.options[name] != value}


def name_of(experiment: Experiment, plain: Experiment) -> str:
    """STRATEGY[-changed settings]-seedN; the strategy's own options go by their names alone."""
    before, own = leaves(plain), f"strategy.{experiment.strategy.name}."
    changed = {key: value for key, value in leaves(experiment).items() if before.get(key) != value and key != "seed"}
    parts = [f"{key.removeprefix(own)}{safe(value)}" for key, value in changed.items()]
    return "-".join([safe("-".join([experiment.strategy.name, *parts]), LONGEST_NAME), f"seed{experiment.seed}"])


def safe(value: Any, longest: int = LONGEST) -> str:
    """A value in letters that every file system takes, an absolute path by its last part; where some are lost, a digest tells it from others."""
    text = str(value)
    said = Path(text).name if text.startswith("/") else text
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "_", said).strip("_")[:longest]
    return plain if plain == text else f"{plain}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"
