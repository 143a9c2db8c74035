"""Begin a run, or go on with one."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from palimpsest.core.errors import Interrupted, RequestError
from palimpsest.core.stopping import stoppable
from palimpsest.core.term import Strategy
from palimpsest.learning.continual import continual
from palimpsest.learning.state import FORM, restore
from palimpsest.measuring.drawing import samplers_of
from palimpsest.measuring.measurer import Measurer, offering
from palimpsest.measuring.yardstick import make_yardstick
from palimpsest.runs.assembly import Assembly, assemble
from palimpsest.runs.checkpoint import read
from palimpsest.runs.config import Experiment, as_settings, resolve, to_toml
from palimpsest.runs.deciding import first_difference
from palimpsest.runs.display import Display
from palimpsest.runs.doubts import doubts_of
from palimpsest.runs.environment import describe_environment
from palimpsest.runs.folder import RunFolder, open_folder
from palimpsest.runs.identity import completed, difference, identity
from palimpsest.runs.naming import default_place
from palimpsest.runs.recorder import Recorder
from palimpsest.runs.tables import read_experiment
from palimpsest.runs.trackers import open_tracker
from palimpsest.strategies import catalog
from palimpsest.streams.stream import Stream, from_tasks

PYTHON = "python"  # the name of a stream or strategy that was passed in


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    path: its directory.  results: what results.json holds; empty in all processes but the first, which wrote it.
    """

    path: Path
    results: Mapping[str, Any] = field(repr=False)


def train(
    experiment: str | Path | Mapping[str, Any] = "digits",
    *,
    strategy: str | Strategy | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    device: str | None = None,
    precision: str | None = None,
    set: Mapping[str, Any] | None = None,
    stream: Iterable | None = None,
    force: bool = False,
    display: Display | None = None,
    **options: Any,
) -> Run:
    """Train an experiment from its first task to its last.

    experiment: a name from `palimpsest list experiments`, a TOML file, or its tables.  strategy: a name, or a function
    declared with `@palimpsest.strategy`, also as "package.module:function" or "file.py:function".
    out: the run directory; default runs/EXPERIMENT/STRATEGY-seedN.  set: dotted keys of the experiment.  stream: any iterable of objects with classes, train and test.
    force: replace a run that is there.  options: of the strategy.
    Raises RequestError before anything is written where the request is wrong, RunError where it fails on the way, and
    Interrupted, with the state saved, on Ctrl-C and SIGTERM.
    """
    tables = experiment if isinstance(experiment, Mapping) else read_experiment(experiment)
    settings = as_settings(set)
    for key, value in (("seed", seed), ("engine.device", device), ("engine.precision", precision)):
        if value is not None:
            settings[key] = value
    if stream is not None:
        settings |= {"stream.name": PYTHON, "stream.path": ""}
    resolved = resolve(tables, strategy, options, settings)
    folder = RunFolder(Path(out) if out else default_place(resolved, tables))
    folder.refuse_if_used(force, lambda: other_than(folder, resolved))
    assembly = assemble(resolved, passed_in(stream), strategy if callable(strategy) else None)
    return start(folder, assembly, display or Display())


def other_than(folder: RunFolder, experiment: Experiment) -> str:
    """The first setting in which the run in a folder is another one; "" for the same, and where that cannot be told."""
    try:
        return first_difference(resolve(read_experiment(folder.config)), experiment)
    except RequestError:
        return ""


def passed_in(stream: Iterable | None) -> Stream | None:
    """A third party's stream as one of ours."""
    return None if stream is None else from_tasks(stream)


def start(folder: RunFolder, assembly: Assembly, display: Display) -> Run:
    """Begin a run whose parts are all there."""
    machine = assembly.machine
    display.quiet |= not machine.main
    measurer = measurer_of(assembly, display)
    with ExitStack() as stack:
        if machine.main:
            stack.enter_context(folder.alone())
            found = {
                "threads": torch.get_num_threads(),
                "device": machine.device.type,
                "dream_batch": machine.ahead.rows,
            }
            engine = assembly.experiment.engine.model_copy(update=found)
            config = assembly.experiment.model_copy(update={"engine": engine})
            folder.begin(to_toml(config), describe_environment(machine))
        machine.wait()
        return work(folder, assembly, measurer, display, {})


def resume(
    run: str | Path,
    *,
    stream: Iterable | None = None,
    strategy: Strategy | None = None,
    display: Display | None = None,
) -> Run:
    """Go on with a run exactly where it stopped; a finished one is returned as it is.

    stream, strategy: what was passed in when the run was begun from Python.
    Raises RequestError where the folder is no run, or its checkpoints belong to another experiment.
    """
    folder, display = open_folder(run), display or Display()
    if source := folder.evaluation_of:
        raise RequestError(
            f"{folder.path} is not a run but an evaluation of {source}, and there is nothing to go on with."
        )
    if finished(folder):
        display.say(f"{folder.path} is finished")
        return Run(folder.path, json.loads(folder.results.read_text()))
    tables = read_experiment(folder.config)
    if strategy is None:
        refuse_changed(folder.path, tables["strategy"])
    experiment = resolve(tables, strategy)
    if experiment.stream.name == PYTHON and stream is None:
        raise RequestError(
            f"the stream of {folder.path} was passed in from Python; go on from there: "
            f'palimpsest.resume("{folder.path}", stream=...).'
        )
    assembly = assemble(experiment, passed_in(stream), strategy)
    display.quiet |= not assembly.machine.main
    measurer = measurer_of(assembly, display)
    with ExitStack() as stack:
        if assembly.machine.main:
            stack.enter_context(folder.alone())
        return work(folder, assembly, measurer, display, take_up(folder, assembly, display.say))


def refuse_changed(run: Path, chosen: Mapping[str, Any]) -> None:
    """Refuse to go on where a strategy of the user's own cannot be found again, or has other options than the run."""
    name, place = chosen["name"], chosen.get("place")
    if place:
        now, then = ({option.name for option in catalog.find(place).options}, set(chosen.get(name, {})))
        if now != then:
            said = [", ".join(sorted(each)) or "none" for each in (now, then)]
            raise RequestError(
                f"the options of strategy {name} in {place} are now {said[0]}, and {run} was begun with {said[1]}; change them "
                "back, or train into another folder."
            )
    elif chosen.get("passed_in"):
        raise RequestError(
            f"the strategy of {run} was passed in from Python; go on from there: "
            f'palimpsest.resume("{run}", strategy={name}).'
        )


def finished(folder: RunFolder) -> bool:
    """Whether the results say so."""
    try:
        return json.loads(folder.results.read_text())["finished"]
    except (OSError, ValueError, KeyError):
        return False


def take_up(folder: RunFolder, assembly: Assembly, say: Callable[[str], None]) -> dict:
    """Set the progress to the newest good checkpoint, drop the events after it; returns what else it says."""
    machine = assembly.machine
    newest = machine.told(folder.checkpoints.latest(say) if machine.main else None)
    if newest is None:
        say(f"{folder.path} has no good checkpoint yet; it begins again")
        if machine.main:
            folder.events.truncate(0)
        return {}
    numbers, tensors = read(newest)
    if numbers.get("form") != FORM:
        raise RequestError(
            f"the checkpoints in {folder.path} are of form {numbers.get('form', 0)}, which another version of palimpsest wrote, and this "
            f"one reads form {FORM}; go on with the version that environment.json names, or train into another folder."
        )
    if changed := difference(completed(numbers["experiment"], assembly.experiment), identity(assembly)):
        if changed.startswith("pictures."):
            what = "synthetic pictures" if changed == "pictures.synthetic" else f"pictures of task {changed.split('.')[1]}"
            raise RequestError(
                f"the {what} are not those that {folder.path} was begun with; bring those back, or train into another folder."
            )
        raise RequestError(
            f"the checkpoints in {folder.path} belong to another experiment: {changed} has changed in config.toml; "
            "change it back, or train into another folder."
        )
    restore(assembly.progress, numbers, tensors)
    if machine.main:
        folder.events.truncate(numbers["events"])
    machine.wait()
    return numbers


def measurer_of(assembly: Assembly, display: Display) -> Measurer:
    """The measurer of an assembly."""
    experiment, machine, evaluation = assembly.experiment, assembly.machine, assembly.experiment.evaluation
    generator = offering(assembly.progress.learners, "noise")
    if generator is None:
        evaluation = evaluation.model_copy(update={"samples": 0})
    synthetic = assembly.plan.courses[-1].mixing is not None  # pictures that an evaluator looks at
    samplers = samplers_of(evaluation, generator)
    flip, compares = experiment.stream.flip, "gap" if synthetic else "samples"
    yardstick = make_yardstick(assembly.stream, evaluation, flip, machine.device, display.say, compares)
    return Measurer(yardstick, *samplers, machine, experiment.seed)


def work(folder: RunFolder, assembly: Assembly, measurer: Measurer, display: Display, known: dict) -> Run:
    """Run the loops to the end, or to the wish to stop. known: what the checkpoint says that it goes on from."""
    engine = assembly.experiment.engine
    tracker = open_tracker(
        engine.tracker if assembly.machine.main else "none", folder.path, assembly.experiment.model_dump(mode="json")
    )
    with stoppable() as stop, closing(tracker):
        recorder = Recorder(folder, assembly, measurer, display, tracker, stop)
        recorder.tasks, recorder.replayed.list = known.get("results", []), known.get("replayed", [])
        recorder.write("start", **describe_environment(assembly.machine))
        for sentence in doubts_of(assembly, measurer, bool(known)):
            recorder.warn(sentence)
        try:
            continual(assembly.plan, assembly.progress, recorder)
        except Interrupted as error:
            raise Interrupted(folder.path) from error
        finally:
            display.end()
    return Run(folder.path, json.loads(folder.results.read_text()) if assembly.machine.main else {})
