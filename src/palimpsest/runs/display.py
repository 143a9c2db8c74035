"""What a person sees while a run works: a progress bar on a terminal, plain lines elsewhere."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from palimpsest.core.bar import Bar, clock

SECONDS_BETWEEN_LINES = 10.0  # where there is no terminal, so that the log of a long run can be read


@dataclass
class Display:
    """Shows steps as they happen. quiet: says nothing (all processes but the first).

    amounts: by phase, how much of it each task has, next to the others.
    paces: by phase in the order of training, seconds that it took in the last task that had it, for each unit of its amount.
    """

    console: Console = field(default_factory=Console)
    quiet: bool = False
    bar: Bar | None = None
    task: int = 0
    tasks: int = 0
    amounts: dict[str, Sequence[float]] = field(default_factory=dict)
    paces: dict[str, float] = field(default_factory=dict)

    def begin(self, task: int, amounts: Sequence[float], classes: str, what: str, steps: int, done: int) -> None:
        """A phase of a task begins, with `done` of its `steps` behind it. what: the phase, "" for the only one of a task.

        amounts: how much of it each task has, next to the others.
        """
        self.task, self.tasks, self.steps, self.what = task, len(amounts), steps, what
        self.amounts[what] = amounts
        self.first, self.began, self.said_at = done, time.monotonic(), -math.inf
        title = f"task {task}/{self.tasks}: {classes}" + (f" ({what})" if what else "")
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
        elif facts and (step == self.steps or time.monotonic() - self.said_at >= SECONDS_BETWEEN_LINES):
            self.said_at = time.monotonic()
            self.say(f"  step {step}/{self.steps}: {facts}")

    def facts(self, step: int, losses: Mapping[str, float], rate: float) -> str:
        """Losses, rate, time left for the task and for the run, as if each phase went on as it did last."""
        seconds = (time.monotonic() - self.began) / max(step - self.first, 1)
        self.paces[self.what] = seconds * self.steps / max(self.amounts[self.what][self.task - 1], 1)
        later = list(self.paces)[list(self.paces).index(self.what) + 1 :]
        task = seconds * (self.steps - step) + sum(self.seconds_of(name, self.task - 1, self.task) for name in later)
        run = task + sum(self.seconds_of(name, self.task, self.tasks) for name in self.paces)
        shown = "  ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
        return f"{shown}  {rate:,.0f} images/s  left: task {clock(task)}, run {clock(run)}"

    def seconds_of(self, what: str, first: int, last: int) -> float:
        """What a phase is going to take in some of the tasks, from 0."""
        return self.paces[what] * sum(self.amounts[what][first:last])

    def end(self) -> None:
        """The phase is over."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def say(self, sentence: object) -> None:
        """A sentence, or anything that rich can print."""
        if not self.quiet:
            self.console.print(sentence, soft_wrap=isinstance(sentence, str), highlight=False, markup=False)
