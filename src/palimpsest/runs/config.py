"""Experiments: tables in, checked models out; and back."""

import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palimpsest.core.errors import RequestError, unknown
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.learning.options import EngineOptions, TrainingOptions
from palimpsest.models.options import UNetOptions
from palimpsest.strategies import catalog
from palimpsest.streams.options import StreamOptions

if TYPE_CHECKING:
    from palimpsest.core.term import Strategy


class StrategyOptions(BaseModel):
    """Which strategy, and tables of defaults for the options of any of them: [strategy.NAME]."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(description="one of `palimpsest list strategies`")
    passed_in: bool = Field(False, description="it is a function that was passed in from Python")


class Experiment(BaseModel):
    """Everything that decides a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="names the folder of the runs")
    about: str = Field("", description="one line for `palimpsest list experiments`")
    seed: int = Field(0, ge=0, lt=2**63, description="of everything that is drawn")
    learner: str = Field("denoiser", description="what a strategy for any learner trains")
    model: str = Field("", description="a diffusers pipeline folder to teach on: it is the first teacher")
    deliver: str = Field("", description="a folder, seen from the run's, that gets the taught pipeline as well")
    stream: StreamOptions = Field(description="where tasks come from")
    denoiser: UNetOptions = Field(UNetOptions(), description="the network")
    diffusion: DiffusionOptions = Field(DiffusionOptions(), description="the process")
    training: TrainingOptions = Field(description="how each phase descends")
    evaluation: EvaluationOptions = Field(EvaluationOptions(), description="what is measured after each task")
    engine: EngineOptions = Field(EngineOptions(), description="on what it runs")
    strategy: StrategyOptions

    @property
    def options(self) -> dict[str, Any]:
        """All options of the strategy in use."""
        return getattr(self.strategy, self.strategy.name)


def resolve(
    tables: Mapping[str, Any],
    strategy: "str | Strategy | None" = None,
    options: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Experiment:
    """The experiment with every default filled in.

    strategy: a name, or a declared function.  options: the strategy's own.  settings: values by dotted keys.
    """
    tables = _deep_copy(tables)
    for key, value in (settings or {}).items():
        _set(tables, key, value)
    chosen = tables.setdefault("strategy", {})
    if not isinstance(chosen, dict):
        raise RequestError(
            f'"strategy" is a table and was given "{chosen}"; say --strategy {chosen}, or name = "{chosen}" below [strategy].'
        )
    entry = catalog.find(strategy or chosen.get("name", ""))
    chosen |= {"name": entry.name, "passed_in": entry.passed_in}
    for name in chosen.keys() - {"name", "passed_in", entry.name}:
        chosen[name] = catalog.check_options(catalog.find(name), chosen[name])
    defaults = catalog.check_options(entry, chosen.get(entry.name, {}))
    chosen[entry.name] = catalog.check_options(entry, defaults | dict(options or {}))
    return _validated(tables)


def changed_options(experiment: Experiment, tables: Mapping[str, Any]) -> dict[str, Any]:
    """The strategy's options that differ from the experiment's own defaults: they name the run's folder."""
    if experiment.strategy.passed_in:
        return {}
    plain = resolve(tables, experiment.strategy.name)
    return {name: value for name, value in experiment.options.items() if plain.options[name] != value}


def to_toml(experiment: Experiment) -> str:
    """The resolved experiment as TOML. Training from it gives the same run."""
    tables = experiment.model_dump(mode="json", exclude_none=True)
    name = experiment.strategy.name
    passed_in = {"passed_in": True} if experiment.strategy.passed_in else {}
    tables["strategy"] = {"name": name, **passed_in, name: experiment.options}
    return tomlkit.dumps(tables)


def _deep_copy(tables: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _deep_copy(value) if isinstance(value, Mapping) else value for key, value in tables.items()}


def _set(tables: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key, making the tables on the way."""
    *path, last = key.split(".")
    for name in path:
        tables = tables.setdefault(name, {})
        if not isinstance(tables, dict):
            raise RequestError(f'"{key}" cannot be set, for "{name}" is a value and not a table.')
    tables[last] = value


def _validated(tables: Mapping[str, Any]) -> Experiment:
    """The checked model, or one sentence about the first thing that is wrong."""
    try:
        return Experiment.model_validate(tables)
    except ValidationError as error:
        first = error.errors()[0]
    place = [str(part) for part in first["loc"] if str(part).isidentifier() or isinstance(part, int)]  # no type names
    if first["type"] == "extra_forbidden":
        raise unknown("key", ".".join(place), _keys_beside(place))
    message = first["msg"].removeprefix("Value error, ").removesuffix(".")
    found = "" if first["type"] in ("missing", "value_error") else f" (found {first['input']!r})"
    raise RequestError(f"the experiment's {'.'.join(place) or 'settings'}: {message[0].lower()}{message[1:]}{found}.")


def _keys_beside(place: list[str]) -> list[str]:
    """The legal keys of the table in which `place` lies, with their paths."""
    model: Any = Experiment
    for name in place[:-1]:
        model = _model_of(model.model_fields[name].annotation)
    return [".".join([*place[:-1], name]) for name in model.model_fields]


def _model_of(annotation: Any) -> type[BaseModel]:
    """The model in an annotation such as `Model` or `Model | None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation
