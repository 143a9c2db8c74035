"""A run at work: writes down what the loops do."""

import json
import time
from collections.abc import Mapping

from torch import nn

from palimpsest.core.errors import Interrupted
from palimpsest.core.files import write_atomically
from palimpsest.core.stopping import Stop
from palimpsest.core.term import Phase
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.learning.progress import taken
from palimpsest.learning.state import numbers_of, tensors_of
from palimpsest.measuring.forgetting import GIVEN
from palimpsest.measuring.found import Found
from palimpsest.measuring.measurer import Measurer
from palimpsest.measuring.replayed import Replayed, starving
from palimpsest.models.pipelines import generator_in
from palimpsest.runs.assembly import Assembly
from palimpsest.runs.display import Display
from palimpsest.runs.findings import results_of, summarised, task_entry
from palimpsest.runs.folder import RunFolder
from palimpsest.runs.identity import identity
from palimpsest.runs.keeping import keep_task
from palimpsest.runs.synthetic import looked_at
from palimpsest.runs.trackers import Tracker, scalars_of
from palimpsest.sources import Pool
from palimpsest.streams.stream import Task

SHOWN = ("fid", "kld", "accuracy", "fid_long", "kld_long")  # on the terminal, after each task


class Recorder:
    """What `learning.continual` needs of a run, with a directory behind it.

    Only the first process writes. Whatever reads the device or waits for other processes happens every
    `engine.log_every` steps and not in between.
    """

    def __init__(
        self,
        folder: RunFolder,
        assembly: Assembly,
        measurer: Measurer,
        display: Display,
        tracker: Tracker,
        stop: Stop,
    ) -> None:
        self.folder, self.assembly, self.measurer = folder, assembly, measurer
        self.display, self.tracker, self.stop = display, tracker, stop
        self.progress, self.machine = assembly.progress, assembly.machine
        self.engine = assembly.experiment.engine
        self.tasks: list[dict] = []
        self.replayed = Replayed()
        self.pictures, self.saved_at = 0, time.monotonic()
        self.mark = self.logged_at = time.monotonic()

    def begin(self, phase: Phase) -> None:
        """A phase begins, or goes on after an interruption."""
        progress, stream = self.progress, self.assembly.stream
        classes = ", ".join(stream.class_names[c] for c in stream.tasks[progress.task - 1].classes) or "nothing new"
        if not (progress.step or phase.goes_on):  # going on after an interruption, the checkpoint says what was seen
            self.look_at_replay(phase, at_end=False)
        own = [phase.learner] if len(progress.learners) > 1 else []
        what = ", ".join(own + ([phase.name] if phase.name != "train" else []))
        amounts = self.assembly.plan.amounts(phase)
        self.display.begin(progress.task, amounts, classes, what, progress.steps, progress.step)
        self.mark = self.logged_at = time.monotonic()
        self.pictures = 0

    def end(self, phase: Phase) -> None:
        """A phase is over: see what it replayed in the end, where that was renewed on the way."""
        self.look_at_replay(phase, at_end=True)

    def look_at_replay(self, phase: Phase, at_end: bool) -> None:
        """See what the phase replays: a teacher that is frozen dreams alike from its first step to its last, and dreams that depend on
        the learner in training say nothing before it has learnt."""
        progress = self.progress
        for source in {term.source.name: term.source for term in phase.present}.values():
            renewed = getattr(getattr(source, "source", source), "every", 0) > 0
            if not getattr(source, "is_synthetic", False) or renewed != at_end:
                continue
            address = (self.assembly.plan.seed, progress.task, phase.learner, "replay", 0)
            due = getattr(source, "classes", ()) or tuple(dict.fromkeys(progress.past.classes))
            if seen := self.measurer.of_replay(source, due, address):
                entry = self.replayed.entry(source.name, phase.learner)
                entry |= seen
                self.write("replay", **entry)
                if warning := starving(entry, len(due), self.assembly.stream.class_names):
                    self.warn(warning)
        taken([*progress.learners.values(), *progress.teachers])  # looking is not training: these passes do not count

    def begin_dreams(self, pool: Pool) -> None:
        """A pool is going to be filled, or goes on being filled."""
        self.tick()
        self.display.end()  # of the steps, where it is dreamt anew on the way
        kept = pool.kept.accepted
        self.display.begin_dreams(pool.name, pool.wanted, 0 if kept is None else int(kept.sum()))
        self.mark = time.monotonic()

    def after_dreams(self, pool: Pool) -> None:
        """A batch has been dreamt for a pool: look whether to save, and whether to stop."""
        self.display.step(int(pool.kept.accepted.sum()))
        if self.engine.checkpoint_minutes and self.machine.any(self.minutes_since_save_are_up()):
            self.save()
        if self.asked_to_stop(True):
            self.save()
            raise Interrupted

    def end_dreams(self, pool: Pool) -> None:
        """The pool is complete: write down what it took, and warn of what it lacks."""
        self.tick()
        self.display.end()
        record, names = pool.record, self.assembly.stream.class_names
        self.replayed.dreamt(pool.name, self.progress.training, record)
        self.write("dreamt", source=pool.name, **record)
        if record["empty"]:
            empty = ", ".join(names[c] for c in record["empty"])
            self.warn(
                f"among {record['drawn']} {pool.name} the model that labels them finds none of {empty}, which {pool.name} will not replay"
            )

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
                "replayed": self.replayed.list,
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
        found = self.measurer.examine(task, learners, self.generator_after, self.check)
        self.display.end()
        if self.machine.main:
            if task.number == len(self.assembly.stream):
                mixing, past = self.assembly.plan.courses[-1].mixing, self.progress.past
                found.facts |= looked_at(mixing, past, self.measurer.yardstick, self.folder.synthetic_sheet)
            self.keep(task, learners, found)
        self.replayed = Replayed()
        self.machine.wait()
        self.mark = time.monotonic()

    def generator_after(self, task: int) -> Denoiser | None:
        """The generator as it was after an earlier task of this run, or the given one (task 0); None where it is not there."""
        place = self.assembly.experiment.given if task == GIVEN else self.folder.model(task)
        return generator_in(place, self.machine.device)

    def keep(self, task: Task, learners: Mapping[str, nn.Module], found: Found) -> None:
        """Save the learners and the pictures of a task, and write down its numbers."""
        for warning in found.warnings:
            self.warn(warning)
        stream = self.assembly.stream
        keep_task(self.folder, self.assembly, task, learners, found.pictures)
        progress = self.progress
        self.tasks.append(task_entry(task, found, self.replayed.list, progress.task_seconds, progress.seen))
        measures = self.tasks[-1]["measures"]
        if finished := task.number == len(stream):
            measures |= summarised(self.tasks, stream)
        self.write("measures", number=task.number, measures=measures)
        results = results_of(self.assembly, self.measurer, self.tasks, finished)
        write_atomically(self.folder.results, json.dumps(results, indent=2).encode())
        shown = "  ".join(f"{name} {measures[name]:.3f}" for name in SHOWN if name in measures)
        self.display.say(f"task {task.number} is learnt  {shown}".rstrip())

    def warn(self, sentence: str) -> None:
        """A warning, to the log and to the person."""
        self.write("warning", text=sentence)
        self.display.say(f"warning: {sentence}")

    def write(self, event: str, **facts: object) -> None:
        """A line of events.jsonl, with the place where the work is; its numbers go to the tracker, too."""
        if self.machine.main:
            facts = {"task": self.progress.task, "phase": self.progress.phase, **facts}
            self.folder.events.write(event, **facts)
            scalars, step = scalars_of(event, facts)
            self.tracker.write(scalars, step)

    def tick(self) -> None:
        """Take the time since the last look into the cost."""
        now = time.monotonic()
        self.progress.spending.seconds += now - self.mark
        if not self.progress.is_beside:
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
