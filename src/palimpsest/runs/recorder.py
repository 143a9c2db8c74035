"""A run at work: writes down what the loops do."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict

from torch import nn

from palimpsest.core.errors import Interrupted
from palimpsest.core.files import write_atomically, write_folder
from palimpsest.core.term import Phase
from palimpsest.learning.state import numbers_of, tensors_of
from palimpsest.runs.assembly import Assembly
from palimpsest.runs.display import Display
from palimpsest.runs.folder import RunFolder
from palimpsest.runs.measuring import Measurer
from palimpsest.runs.stopping import Stop
from palimpsest.streams.stream import Task


class Recorder:
    """What `learning.continual` needs of a run, with a directory behind it.

    Only the first process writes. Whatever reads the device or waits for other processes happens every
    `engine.log_every` steps and not in between.
    """

    def __init__(self, folder: RunFolder, assembly: Assembly, measurer: Measurer, display: Display, stop: Stop) -> None:
        self.folder, self.assembly, self.measurer = folder, assembly, measurer
        self.display, self.stop = display, stop
        self.progress, self.machine = assembly.progress, assembly.machine
        self.engine = assembly.experiment.engine
        self.tasks: list[dict] = []
        self.pictures, self.saved_at = 0, time.monotonic()
        self.mark = self.logged_at = time.monotonic()

    def begin(self, phase: Phase) -> None:
        """A phase begins, or goes on after an interruption."""
        progress, stream = self.progress, self.assembly.stream
        classes = ", ".join(stream.class_names[c] for c in stream.tasks[progress.task - 1].classes)
        self.display.begin(progress.task, len(stream), classes, progress.steps, progress.step)
        self.mark = self.logged_at = time.monotonic()
        self.pictures = 0

    def after_step(self, pictures: int) -> None:
        """Count the step; every so many, write its losses, look whether to save, and whether to stop."""
        progress = self.progress
        self.pictures += pictures
        last = progress.step == progress.steps
        due = progress.step % self.engine.log_every == 0
        if due or last:
            self.log()
        else:
            self.display.step(progress.step)
        if last:
            self.display.end()
        elif self.engine.checkpoint_steps and progress.step % self.engine.checkpoint_steps == 0:
            self.save()
        elif due and self.engine.checkpoint_minutes and self.machine.any(self.minutes_since_save_are_up()):
            self.save()
        if self.asked_to_stop(due or last):
            self.save()
            raise Interrupted

    def log(self) -> None:
        """One line of events: the mean loss of each term since the last one, and the rate."""
        self.tick()
        progress, now = self.progress, time.monotonic()
        progress.meter.check(progress.place)
        losses = progress.meter.read()
        rate = self.pictures / max(now - self.logged_at, 1e-9)
        self.pictures, self.logged_at = 0, now
        self.display.step(progress.step, losses, rate)
        self.write("step", step=progress.step, losses=losses, pictures_per_second=round(rate, 1))

    def save(self) -> None:
        """Write a checkpoint of the progress; a loss or a weight that is not finite is found before that."""
        self.tick()
        progress = self.progress
        progress.check()
        progress.settle()
        self.saved_at = time.monotonic()
        if self.machine.main:
            numbers = numbers_of(progress) | {
                "results": self.tasks,
                "events": self.folder.events.size,
                "experiment": identity(self.assembly),
            }
            path = self.folder.checkpoints.save(numbers, tensors_of(progress))
            self.write("checkpoint", name=path.name, step=progress.step)
        self.machine.wait()
        self.mark = time.monotonic()

    def measure(self, task: Task, learners: Mapping[str, nn.Module]) -> None:
        """Sample, measure and write down what has been learnt after a task; stopping here loses no training."""
        self.tick()
        self.display.begin_samples(self.measurer.count)
        samples = self.measurer.draw(learners["denoiser"], self.check)
        self.display.end()
        if self.machine.main:
            measures, warnings = self.measurer.measure(samples, task)
            for warning in warnings:
                self.warn(warning)
            network = learners["denoiser"].network
            write_folder(self.folder.model(task.number), lambda place: self.assembly.pipeline.save(network, place))
            if deliver := self.assembly.experiment.deliver:
                self.assembly.pipeline.deliver(network, (self.folder.path / deliver).resolve())
            self.measurer.sheet(samples, self.folder.sheet(task.number))
            self.tasks.append(self.entry(task, measures))
            self.write("measures", number=task.number, measures=measures)
            self.write_results(finished=task.number == len(self.assembly.stream))
            shown = "  ".join(f"{name} {value:.3f}" for name, value in measures.items())
            self.display.say(f"task {task.number} is learnt  {shown}".rstrip())
        self.machine.wait()
        self.mark = time.monotonic()

    def entry(self, task: Task, measures: dict[str, float]) -> dict:
        """A task's place in results.json."""
        seconds = round(self.progress.task_seconds, 3)
        return {"number": task.number, "classes": list(task.classes), "measures": measures, "seconds": seconds}

    def write_results(self, finished: bool) -> None:
        """Write results.json anew."""
        assembly, experiment, evaluator = self.assembly, self.assembly.experiment, self.measurer.evaluator
        results = {
            "experiment": experiment.name,
            "stream": assembly.stream.name,
            "strategy": experiment.strategy.name,
            "options": experiment.options,
            "seed": experiment.seed,
            "finished": finished,
            "allowed_to_remember": list(assembly.remembers),
            "tasks": self.tasks,
            "task_count": len(assembly.stream),
            "accuracy_matrix": [],
            "final": self.tasks[-1]["measures"] if finished else {},
            "cost": asdict(self.progress.cost),
            "extractor": evaluator.record if evaluator else {},
        }
        write_atomically(self.folder.results, json.dumps(results, indent=2).encode())

    def warn(self, sentence: str) -> None:
        """A warning, to the log and to the person."""
        self.write("warning", text=sentence)
        self.display.say(f"warning: {sentence}")

    def write(self, event: str, **facts: object) -> None:
        """A line of events.jsonl, with the place where the work is."""
        if self.machine.main:
            self.folder.events.write(event, task=self.progress.task, phase=self.progress.phase, **facts)

    def tick(self) -> None:
        """Take the time since the last look into the cost."""
        now = time.monotonic()
        self.progress.cost.seconds += now - self.mark
        self.progress.task_seconds += now - self.mark
        self.mark = now

    def check(self, drawn: int) -> None:
        """So many samples are drawn; raise Interrupted if somebody wants to stop."""
        self.display.step(drawn)
        if self.asked_to_stop(True):
            raise Interrupted

    def asked_to_stop(self, together: bool) -> bool:
        """Whether to stop now: at any step when alone, every so many steps (`together`) among many processes."""
        if self.machine.world == 1:
            return self.stop.asked
        return together and self.machine.any(self.stop.asked)

    def minutes_since_save_are_up(self) -> bool:
        """Whether it is time for a checkpoint, by the first process's clock."""
        return self.machine.main and time.monotonic() - self.saved_at > 60 * self.engine.checkpoint_minutes


def identity(assembly: Assembly) -> dict:
    """What a checkpoint must share with a run to belong to it: all that decides the numbers."""
    experiment, stream = assembly.experiment, assembly.stream
    tables = json.loads(experiment.model_dump_json(exclude={"engine", "about", "deliver", "strategy"}))
    strategy = {"name": experiment.strategy.name, "passed_in": experiment.strategy.passed_in, **experiment.options}
    pictures = {str(task.number): [list(task.classes), len(task.train), len(task.test)] for task in stream.tasks}
    return tables | {"strategy": strategy, "precision": experiment.engine.precision, "pictures": pictures}
