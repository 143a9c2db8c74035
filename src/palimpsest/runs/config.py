"""Experiments: tables in, checked models out; and back."""

import json
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tomlkit
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.references import settled
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.learning.options import (
    ClassifierTable,
    EngineOptions,
    FeatureGANTable,
    SyntheticOptions,
    TrainingOptions,
)
from palimpsest.models.options import CLASSIFIERS, GROWING, JointOptions, UNetOptions
from palimpsest.runs.choosing import asked_for, check_source, learner_beside, one_size, own_name
from palimpsest.runs.published import PublishedRow
from palimpsest.strategies import catalog
from palimpsest.strategies.declare import ANY
from palimpsest.streams.options import StreamOptions

if TYPE_CHECKING:
    from palimpsest.core.term import Strategy

CLASSIFYING = {*CLASSIFIERS, "joint"}  # learners that need no classifier beside them


class StrategyOptions(BaseModel):
    """Which strategy, and tables of defaults for the options of any of them: [strategy.NAME]."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(
        description="one of `palimpsest list strategies`, or one's own as package.module:function or file.py:function"
    )
    passed_in: bool = Field(False, description="it is a function of one's own")
    place: Annotated[str, AfterValidator(settled)] = Field(
        "", description="where that is found again; empty: it was passed in from Python"
    )

    @property
    def reference(self) -> str:
        """What finds it again."""
        return self.place or self.name


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
    classifier: ClassifierTable = Field(ClassifierTable(), description="a classifier, beside a generator or by itself")
    augmentation: dict[Literal["noise", "logits", "strong"], tuple[str, ...]] = Field(
        {},
        description="by head, what is done to its own view of real pictures; stream.flip serves heads without one. strong: "
        "the logits' view of pictures without a label",
    )
    synthetic: SyntheticOptions = Field(SyntheticOptions(), description="pictures of past classes beside real ones")
    joint: JointOptions = Field(JointOptions(), description="the head of a joint model, whose body is the denoiser")
    feature_gan: FeatureGANTable = Field(FeatureGANTable(), description="a generator of a classifier's features")
    training: TrainingOptions = Field(description="how each phase descends; a classifier's is [classifier.training]")
    evaluation: EvaluationOptions = Field(EvaluationOptions(), description="what is measured after each task")
    engine: EngineOptions = Field(EngineOptions(), description="on what it runs")
    strategy: StrategyOptions
    seeds: tuple[int, ...] = Field((), description="the seeds of its studies")
    published: tuple[PublishedRow, ...] = Field((), description="what a paper prints for it; decides nothing")

    @property
    def given(self) -> Path | None:
        """The folder of the model that is taught on; None where a new one is trained."""
        return Path(self.model) if self.model else None

    @property
    def options(self) -> dict[str, Any]:
        """All options of the strategy in use."""
        return self.options_of(self.strategy.name)

    def options_of(self, name: str) -> dict[str, Any]:
        """All options of a strategy."""
        return getattr(self.strategy, name)

    def added_to(self, name: str) -> str:
        """The strategy to which another is added, as its option `beside` says; "" where it stands alone."""
        return "" if self.strategy.passed_in else self.options_of(name).get("beside", "")

    def all_options_of(self, name: str) -> dict[str, Any]:
        """The options of a strategy, and those of the one that it is added to."""
        other = self.added_to(name)
        return (self.options_of(other) if other else {}) | self.options_of(name)


def resolve(
    tables: Mapping[str, Any],
    strategy: "str | Strategy | None" = None,
    options: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Experiment:
    """The experiment with every default filled in.

    strategy: a name, or a declared function.  options: the strategy's own.  settings: values by dotted keys.
    """
    tables, settings = _deep_copy(tables), settings or {}
    own = own_name(tables.get("strategy"))
    for key, value in settings.items():
        _set(tables, key, value)
    chosen = tables.setdefault("strategy", {})
    entry = catalog.find(asked_for(chosen, strategy, "strategy.name" in settings))
    if own != entry.name:
        chosen.pop(own, None)  # it decides nothing of a run of another strategy
    chosen |= {"name": entry.name, "passed_in": entry.passed_in, "place": entry.place}
    for name in chosen.keys() - {"name", "passed_in", "place", entry.name}:
        chosen[name] = catalog.check_options(catalog.find(name), chosen[name])
    defaults = catalog.check_options(entry, chosen.get(entry.name, {}))
    checked = catalog.check_options(entry, defaults | dict(options or {}))
    own_settings = {key.removeprefix(f"strategy.{entry.name}.") for key in settings}
    chosen[entry.name] = one_size(entry.name, checked, own_settings | (options or {}).keys())
    if other := chosen[entry.name].get("beside"):
        tables["learner"] = learner_beside(entry, catalog.find(other), tables.get("learner", "denoiser"))
        chosen[other] = catalog.check_options(catalog.find(other), chosen.get(other, {}))
    if set(entry.learners) & set(GROWING):
        tables.setdefault("classifier", {})["head"] = "growing"
    experiment = _validated(tables)
    check_source(entry, experiment.synthetic.source, other or "")
    if not (beside := strategy_beside(experiment, entry.learners)):
        return experiment
    companion = catalog.find(beside)
    if companion.learners not in (ANY, ("classifier",)):
        raise RequestError(
            f'classifier.strategy is "{beside}", which trains the {", ".join(companion.learners)}; legal: none, auto, '
            f"{', '.join(n for n in catalog.names() if catalog.look_up(n).learners in (ANY, ('classifier',)))}."
        )
    chosen[beside] = catalog.check_options(companion, chosen.get(beside, {}))
    return _validated(tables)


def as_settings(given: Any) -> dict[str, Any]:
    """Values by dotted key, as `set` takes them; RequestError for anything else."""
    if not isinstance(given or {}, Mapping):
        raise RequestError(f'set takes values by dotted key, such as {{"training.steps": 2}}, and was given {given!r}.')
    return dict(given or {})


def strategy_beside(experiment: Experiment, learners: Sequence[str] | str) -> str:
    """The strategy of the classifier that is trained beside the learners of the experiment's own; "" where none is."""
    asked = experiment.classifier.strategy
    learners = (experiment.learner,) if learners == ANY else learners
    if asked == "none" or CLASSIFYING & set(learners):
        return ""
    if asked != "auto":
        return asked
    return {"joint": "joint", "finetune": "finetune"}.get(experiment.strategy.name, "generative_replay_classifier")


def default_tables() -> dict:
    """The tables of an experiment with every option at its default, without those that have none."""
    fields = {name: field.annotation for name, field in Experiment.model_fields.items() if name != "strategy"}
    tables = {name: kind for name, kind in fields.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}
    return {name: as_json(kind.model_construct()) for name, kind in tables.items()}


def as_json(table: BaseModel, exclude: set[str] | None = None) -> dict:
    """A table as JSON reads it back."""
    return json.loads(table.model_dump_json(exclude=exclude))


def to_toml(experiment: Experiment) -> str:
    """The resolved experiment as TOML. Training from it gives the same run."""
    tables = experiment.model_dump(mode="json", exclude_none=True, exclude={"seeds", "published"})
    if not experiment.strategy.passed_in:
        del tables["strategy"]["passed_in"]
    if not experiment.strategy.place:
        del tables["strategy"]["place"]
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
    for name in (name for name in place[:-1] if not name.isdigit()):  # a row of a list has its fields, and no name
        model = _model_of(model.model_fields[name].annotation)
    return [".".join([*place[:-1], name]) for name in model.model_fields]


def _model_of(annotation: Any) -> type[BaseModel]:
    """The model in an annotation such as `Model`, `Model | None` or `tuple[Model, ...]`."""
    if typing.get_origin(annotation) is tuple:
        return typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation
