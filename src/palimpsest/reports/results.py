"""Reads what a run found out: results.json, as a frozen record. Imports no torch, here and in all of `reports`."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.core.tables import flat
from palimpsest.reports.shape import check_shape

FILE = "results.json"
SAID = {"name", "about", "seed", "strategy", "published"}  # results.json says these itself, or they say nothing
PLACES = {"stream.path", "stream.on_device", "deliver"}
ENGINE = "engine."  # where and how it ran, of which precision alone decides numbers on purpose


@dataclass(frozen=True)
class Task:
    """One finished task: its number from 1, its classes, the measures after it, its seconds.

    per_task, per_class: measures of every task and class seen ("task" or "class", then "fid", "frequency", "due",
    "accuracy"); the same under the long sampler.  replay: what was replayed during the task, by source and learner.
    denoising_error: "levels", and "errors", a list for each of "tasks", where 0 is a given model.  kept: of a given model, what
    "coverage_old" and "density_old" are "expected" to be, and what "new_pictures" alone come to.  seen: "steps", and rows of training data, "real" and "synthetic".
    synthetic: how far synthetic pictures are from real ones, in all and "per_class".  What was not measured is empty.
    """

    number: int
    classes: tuple[str, ...]
    measures: Mapping[str, float]
    seconds: float
    per_task: tuple[Mapping[str, float], ...] = ()
    per_class: tuple[Mapping[str, float], ...] = ()
    per_task_long: tuple[Mapping[str, float], ...] = ()
    per_class_long: tuple[Mapping[str, float], ...] = ()
    replay: tuple[Mapping[str, Any], ...] = ()
    denoising_error: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    synthetic: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """What one run found out, so far.

    options: of the strategy.  settings: everything else in config.toml, by dotted key, but the seed and what only says
    where and on what it ran; of other strategies, the options of those that took part.  task_count: tasks of the stream, 0 where that is not known.  final: measures after the
    last task, empty until then.  classifier_remembers: in words, "" without a classifier beside the generator.
    accuracy_matrix: a row a finished task, a column a task seen, in [0, 1].  class_names: by class number.  evaluator:
    whose labels the class frequencies are made of.  samplers: "own" and "long".  counts: "samples", and "reference"
    after each task.
    """

    path: Path
    experiment: str
    stream: Any
    strategy: str
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    seed: int
    finished: bool
    allowed_to_remember: str
    tasks: tuple[Task, ...]
    task_count: int
    final: Mapping[str, float]
    cost: Mapping[str, Any] = field(default_factory=dict)
    extractor: Mapping[str, Any] = field(default_factory=dict)
    evaluator: Mapping[str, Any] = field(default_factory=dict)
    samplers: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    accuracy_matrix: tuple[tuple[float, ...], ...] = ()
    class_names: tuple[str, ...] = ()
    classifier_remembers: str = ""

    def class_name(self, number: str) -> str:
        """The name of a class, or its number in an older run."""
        return self.class_names[int(number)] if number.isdecimal() and int(number) < len(self.class_names) else number

    @property
    def measures(self) -> Mapping[str, float]:
        """The final measures, or those after the last task that is done."""
        return self.final or self.tasks[-1].measures

    @property
    def extractor_in_words(self) -> str:
        """Such as "small_cnn-32 (accuracy 98.9 %)"."""
        accuracy = self.extractor.get("accuracy")
        return self.extractor.get("name", "") + ("" if accuracy is None else f" (accuracy {accuracy:.1%})")

    @property
    def progress(self) -> str:
        """Such as "5", or "task 2 of 5" for an unfinished run."""
        if self.finished:
            return str(len(self.tasks))
        return f"task {self.tasks[-1].number}" + (f" of {self.task_count}" if self.task_count else "")


def load_results(path: Path | str) -> Results:
    """The results of the run in `path`; RequestError, one sentence, where there are none to read."""
    path = Path(path)
    folder = folder_of(path)
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        check_shape(found)
        return parse(found, read_config(folder), path)
    except (FileNotFoundError, NotADirectoryError):
        raise missing(path, folder) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RequestError(
            f'"{folder / FILE}" is damaged ({error}); resume the run, which writes it again, or leave it out.'
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            f'"{folder / FILE}" is not what a run writes ({error}); resume the run, '
            "which writes it again, or leave it out."
        ) from error


def folder_of(path: Path) -> Path:
    """The folder of the run itself: `path`, or the folder within a model that `palimpsest update` wrote."""
    return path if (path / FILE).exists() or not (path / "run").is_dir() else path / "run"


def parse(found: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> Results:
    """The record behind the JSON object of one run and its resolved experiment."""
    if not found["tasks"]:
        raise no_results(path)
    return Results(
        path=path,
        experiment=found["experiment"],
        stream=found["stream"],
        strategy=found["strategy"],
        options=dict(found["options"]),
        settings={key: value for key, value in flat(config) if decides(key)}
        | dict(flat({"strategy": found.get("options_beside", {})})),
        seed=int(found["seed"]),
        finished=bool(found["finished"]),
        allowed_to_remember=in_words(found["allowed_to_remember"]),
        tasks=tuple(map(parse_task, found["tasks"])),
        task_count=int(found.get("task_count", count_of(config.get("stream", {}).get("tasks", 0)))),
        final=dict(found.get("final", {})),
        cost=dict(found.get("cost", {})),
        **{name: dict(found.get(name) or {}) for name in ("extractor", "evaluator", "samplers", "counts")},
        accuracy_matrix=tuple(map(tuple, found.get("accuracy_matrix", ()))),
        class_names=tuple(map(str, found.get("class_names", ()))),
        classifier_remembers=in_words(found["classifier_remembers"]) if "classifier_remembers" in found else "",
    )


def parse_task(found: Mapping[str, Any]) -> Task:
    """The record of one task; what an older run did not measure is empty."""
    lists = ("per_task", "per_class", "per_task_long", "per_class_long", "replay")
    return Task(
        number=found["number"],
        classes=tuple(map(str, found["classes"])),
        measures=dict(found["measures"]),
        seconds=float(found["seconds"]),
        **{name: tuple(map(dict, found.get(name) or ())) for name in lists},
        **{name: dict(found.get(name) or {}) for name in ("denoising_error", "kept", "seen", "synthetic")},
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The tables of config.toml; none where it cannot be read, for the results stand without it."""
    try:
        return tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def decides(key: str) -> bool:
    """Whether two runs that differ in this key of config.toml are two methods."""
    if key.startswith(ENGINE):
        return key in (f"{ENGINE}precision", f"{ENGINE}dream_precision")
    return key.split(".")[0] not in SAID and key not in PLACES


def count_of(tasks: int | list) -> int:
    """How many tasks `stream.tasks` asks for: a number, or the classes of each."""
    return len(tasks) if isinstance(tasks, list) else tasks


def in_words(remembered: Any) -> str:
    """ "nothing", or what a strategy keeps, from a sentence or a list."""
    if isinstance(remembered, str):
        return remembered
    return ", ".join(remembered) or "nothing"


def missing(path: Path, folder: Path) -> RequestError:
    """Why there is no results file: no such place, no run, or a run that has not come so far."""
    if (folder / "config.toml").exists():
        return no_results(path)
    if not path.exists():
        return RequestError(f'there is no "{path}"; give the directory of a run.')
    if any(path.glob(f"*/{FILE}")):
        return RequestError(f'"{path}" is not a run but holds some; give those, as {path}/*-seed*.')
    return RequestError(
        f'"{path}" is not a run directory: it holds neither {FILE} nor config.toml; give a directory that '
        "`palimpsest train` or `palimpsest update` wrote."
    )


def no_results(path: Path) -> RequestError:
    return RequestError(
        f'the run "{path}" has no results yet, because its first task is not done; go on with '
        f"`palimpsest resume {path}`, or leave it out."
    )
