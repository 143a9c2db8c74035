"""Measure a run or a model again: with other samplers, other features, or on other data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.files import check_place, make_place, write_atomically
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.evaluation.sheet import save_sheet
from palimpsest.learning.devices import Machine, find_machine
from palimpsest.measuring.drawing import samplers_of
from palimpsest.measuring.forgetting import GIVEN
from palimpsest.measuring.measurer import Measurer, offering
from palimpsest.measuring.yardstick import make_yardstick
from palimpsest.models.pipelines import generator_in, read_classes
from palimpsest.runs.assembly import fitting
from palimpsest.runs.config import Experiment, as_settings, resolve, to_toml
from palimpsest.runs.display import Display
from palimpsest.runs.findings import measured, summarised, task_entry
from palimpsest.runs.folder import RunFolder, is_model, open_folder
from palimpsest.runs.models import open_learners
from palimpsest.runs.tables import read_experiment
from palimpsest.streams.open import open_stream
from palimpsest.streams.stream import Stream


@dataclass(frozen=True)
class Subject:
    """What is evaluated: models by the number of the task after which they were saved, and the run they come from.

    known: the results of that run, or what stands for them where a single model is evaluated.
    """

    place: Path
    models: Mapping[int, Path]
    experiment: Experiment
    known: Mapping[str, Any]

    @cached_property
    def first(self) -> dict[str, nn.Module]:
        """What was learnt by the end of the first task of which there are models; on the CPU."""
        learners = self.learners(min(self.models), Machine(torch.device("cpu")))
        if not learners:
            raise RequestError(f"{self.place} holds neither a generator nor a classifier.")
        return learners

    @cached_property
    def names(self) -> list[str]:
        """Of the classes that a generator is told of, by number, where there is one; those that it has not learnt have made-up ones."""
        generator = offering(self.first, "noise")
        if generator is None or not generator.conditional:
            return []
        learnt, *_ = read_classes(self.models[max(self.models)], generator.network.config.num_class_embeds)
        return [learnt.get(number, f"class {number}") for number in range(max(learnt) + 1)]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the pictures that the models make or look at."""
        return next(iter(self.first.values())).shape

    def learners(self, task: int, machine: Machine) -> dict[str, nn.Module]:
        """What was learnt by the end of a task."""
        return {name: learner.to(machine.device) for name, learner in open_learners(self.models[task]).items()}

    def measured(self, task: int, machine: Machine, class_names: Sequence[str]) -> dict[str, nn.Module]:
        """What can be measured on data with these classes: a classifier of others cannot."""
        names, found = tuple(class_names), self.learners(task, machine)
        if "joint" in found and found["joint"].classes != names:
            found["denoiser"] = found.pop("joint").denoiser
        return {name: learner for name, learner in found.items() if getattr(learner, "classes", names) == names}

    def generator(self, task: int, machine: Machine) -> Denoiser | None:
        """The generator by the end of a task, or the one that the run was given (task 0); None where there is none."""
        if task == GIVEN:
            return generator_in(self.experiment.given, machine.device)
        return offering(self.learners(task, machine), "noise") if task in self.models else None


def evaluate(
    place: str | Path,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    device: str | None = None,
    set: Mapping[str, Any] | None = None,
    display: Display | None = None,
) -> dict[str, Any]:
    """The measures of all models of a run, or of one model, as results.json would hold them.

    place: a run directory, or a diffusers pipeline folder.  data: other pictures to measure against (a folder of pictures, of class
    folders, or of parquet), cut into the run's tasks. A model needs it, also one that `update` delivered: all its classes are one
    task, and all its pictures what samples are compared with, also those that are stored as a test set.
    out: a new folder for results.json, config.toml and the sample sheets, which `compare` and `report` read like a run.
    set: settings such as {"evaluation.steps": 50}. Nothing is written without `out`.
    Raises RequestError for a place without models, and for data of another shape or with other classes.
    """
    display = display or Display()
    settings = as_settings(set) | ({} if device is None else {"engine.device": device})
    subject = open_subject(Path(place), data, settings)
    folder = new_folder(Path(out)) if out else None
    machine = find_machine(subject.experiment.engine)
    options = fitting(subject.experiment.stream, subject.shape)
    stream = open_stream(options, subject.experiment.seed, machine.device)
    stream = numbered_alike(subject, stream)
    check_classes(subject, stream)
    measurer = make_measurer(subject, stream, machine, display)
    if measurer.yardstick.doubt:
        display.say(f"warning: {measurer.yardstick.doubt}")
    tasks, pictures = measure_models(subject, stream, measurer, machine, display)
    finished = len(tasks) == len(stream)
    if finished:
        tasks[-1]["measures"] |= summarised(tasks, stream)
    about = {"finished": finished, "stream": stream.name, "evaluation_of": str(place)}
    results = dict(subject.known) | about | measured(stream, measurer, tasks, finished)
    if folder:
        write(folder, subject.experiment, results, pictures)
    return results


def measure_models(
    subject: Subject, stream: Stream, measurer: Measurer, machine: Machine, display: Display
) -> tuple[list[dict], dict[tuple[int, str], Image]]:
    """What results.json says of each task of which there are models, and the pictures by task and ending of the name."""
    tasks, pictures = [], {}
    display.tasks = len(stream)
    for task in (task for task in stream.tasks if task.number in subject.models):
        display.task = task.number
        display.begin_samples(measurer.count)
        found = measurer.examine(
            task,
            subject.measured(task.number, machine, stream.class_names),
            lambda number: subject.generator(number, machine),
            display.step,
        )
        display.end()
        for warning in found.warnings:
            display.say(f"warning: {warning}")
        tasks.append(task_entry(task, found, [], 0.0, {}))
        pictures |= {(task.number, ending): picture for ending, picture in found.pictures.items()}
    if not any(task["measures"] for task in tasks):
        display.say("warning: nothing was measured; ask for it with --samples 1000, and for what to compare with by --data")
    return tasks, pictures


def new_folder(path: Path) -> RunFolder:
    """The folder that an evaluation is going to be written to; refuses one that holds something, or cannot be written."""
    check_place(path)
    if path.exists() and (path.is_file() or any(path.iterdir())):
        raise RequestError(f"{path} is there already, and an evaluation gets a new folder; choose another --out.")
    return RunFolder(path)


def open_subject(place: Path, data: str | Path | None, settings: dict[str, Any]) -> Subject:
    """The run or the model in a place, and the experiment that it is to be measured by."""
    if data is not None:
        there = Path(data)
        if not there.is_dir():
            raise RequestError(f"--data {data} is not a folder; give a folder of class folders, or of parquet.")
        settings = {"stream.name": there.resolve().name, "stream.path": str(there.resolve().parent), **settings}
    if is_model(place) and (data is not None or not (place / "run").exists()):  # what `update` delivered, on other data
        return open_single(place, data, settings)
    folder = open_folder(place)
    models = folder.models
    tables = read_experiment(folder.config)
    if tables["strategy"].pop("passed_in", False):  # its name says nothing here, and it trains nothing
        tables["strategy"] = {"name": "finetune"}
    if tables["stream"]["name"] == "python" and data is None:
        raise RequestError(f"the stream of {place} was passed in from Python; say what to measure against with --data.")
    try:
        known = json.loads(folder.results.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"{folder.results} is missing or damaged; resume the run, which writes it again.") from error
    return Subject(place, models, resolve(tables, settings=settings), known)


def open_single(place: Path, data: str | Path | None, settings: dict[str, Any]) -> Subject:
    """A model that belongs to no run."""
    if data is None:
        raise RequestError(f"{place} is one model and not a run; say what to measure it against with --data.")
    tables = {
        "name": place.resolve().name,
        "strategy": {"name": "finetune"},
        "stream": {"tasks": 1},
        "training": {"steps": 1},
        "evaluation": {"reference": "all"},  # the data is there to be compared with, and nothing learns from it
    }
    known = {
        "experiment": tables["name"],
        "stream": Path(data).resolve().name,
        "strategy": "given model",
        "options": {},
        "seed": 0,
        "allowed_to_remember": [],
        "cost": {},
    }
    return Subject(place, {1: place}, resolve(tables, settings=settings), known)


def numbered_alike(subject: Subject, stream: Stream) -> Stream:
    """The stream with the numbers that the run, or a model that is told of classes, has for them, where it knows their names."""
    known = list(subject.known.get("class_names", ())) or subject.names
    there = list(stream.class_names)
    if not known or there == known[: len(there)] or not set(there) <= set(known):
        return stream
    return stream.renumbered([known.index(name) for name in there], known, before=())


def check_classes(subject: Subject, stream: Stream) -> None:
    """Refuse other classes than the run's."""
    there = list(stream.class_names)
    names = subject.known.get("class_names", subject.names or there)
    if names != there and not (subject.names and there == names[: len(there)]):
        raise RequestError(
            f"the run's classes are {', '.join(names)}, and the data's {', '.join(there)}; give data with the run's "
            "classes, in their order."
        )


def make_measurer(subject: Subject, stream: Stream, machine: Machine, display: Display) -> Measurer:
    """The measurer of an evaluation."""
    experiment = subject.experiment
    samplers = samplers_of(experiment.evaluation, offering(subject.first, "noise"))
    yardstick = make_yardstick(stream, experiment.evaluation, experiment.stream.flip, machine.device, display.say)
    return Measurer(yardstick, *samplers, machine, experiment.seed)


def write(folder: RunFolder, experiment: Experiment, results: Mapping[str, Any], pictures: Mapping) -> None:
    """The folder that `compare` and `report` read."""
    make_place(folder.path)
    for (task, ending), picture in pictures.items():
        save_sheet(picture, folder.picture(task, ending))
    write_atomically(folder.config, to_toml(experiment).encode())
    write_atomically(folder.results, json.dumps(results, indent=2).encode())
