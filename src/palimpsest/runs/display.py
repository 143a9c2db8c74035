"""What a person sees while a run works: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console

from palimpsest.core.bar import Bar, clock


@dataclass
class Display:
    """Shows steps as they happen. quiet: says nothing (all processes but the first).

    lengths: seconds that each phase took in the last task that had it, in the order of training.
    """

    console: Console = field(default_factory=Console)
    quiet: bool = False
    bar: Bar | None = None
    task: int = 0
    tasks: int = 0
    lengths: dict[str, float] = field(default_factory=dict)

    def begin(self, task: int, tasks: int, classes: str, what: str, steps: int, done: int) -> None:
        """A phase of a task begins, with `done` of its `steps` behind it. what: the phase, "" for the only one of a task."""
        self.task, self.tasks, self.steps, self.what = task, tasks, steps, what
        self.first, self.began = done, time.monotonic()
        title = f"task {task}/{tasks}: {classes}" + (f" ({what})" if what else "")
        if self.console.is_terminal and not self.quiet:
            self.bar = Bar(self.console, title, steps, done)
        else:
            self.say(f"{title}: {steps} steps")

    def begin_samples(self, count: int) -> None:
        """So many samples are going to be drawn for the measures of the task; a terminal shows how far it is."""
        if self.console.is_terminal and not self.quiet:
            self.bar = Bar(self.console, f"task {self.task}/{self.tasks}: samples", count, 0, transient=True)

    def begin_dreams(self, what: str, wanted: int, kept: int) -> None:
        """So many pictures are going to be dreamt before a phase begins."""
        title = f"task {self.task or 1}/{self.tasks or '?'}: {what}"
        if self.console.is_terminal and not self.quiet:
            self.bar = Bar(self.console, title, wanted, kept, transient=True)
        else:
            self.say(f"{title}: {wanted} pictures")

    def step(self, step: int, losses: Mapping[str, float] | None = None, rate: float = 0.0) -> None:
        """A step is done; `losses` by term and pictures/s where they have just been read."""
        facts = "" if losses is None else self.facts(step, losses, rate)
        if self.bar:
            self.bar.show(step, facts)
        elif facts:
            self.say(f"  step {step}/{self.steps}: {facts}")

    def facts(self, step: int, losses: Mapping[str, float], rate: float) -> str:
        """Losses, rate, time left for the task and for the run, as if all tasks to come were like this one."""
        seconds = (time.monotonic() - self.began) / max(step - self.first, 1)
        self.lengths[self.what] = seconds * self.steps
        later = list(self.lengths)[list(self.lengths).index(self.what) + 1 :]
        task = seconds * (self.steps - step) + sum(self.lengths[name] for name in later)
        run = task + sum(self.lengths.values()) * (self.tasks - self.task)
        shown = "  ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
        return f"{shown}  {rate:,.0f} images/s  left: task {clock(task)}, run {clock(run)}"

    def end(self) -> None:
        """The phase is over."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def say(self, sentence: object) -> None:
        """A sentence, or anything that rich can print."""
        if not self.quiet:
            self.console.print(sentence, soft_wrap=isinstance(sentence, str), highlight=False, markup=False)
