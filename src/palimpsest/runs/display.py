"""What a person sees while a run works: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text


@dataclass
class Bar:
    """A progress bar, and below it a line of facts, redrawn in place; a transient one vanishes in the end."""

    console: Console
    title: str
    steps: int
    done: int
    transient: bool = False

    def __post_init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn()
        self.progress = Progress(*columns, console=self.console)
        self.row = self.progress.add_task(self.title, total=self.steps, completed=self.done)
        self.line = Text("", style="dim", no_wrap=False)
        shown = Group(self.progress, self.line)
        self.live = Live(shown, console=self.console, refresh_per_second=5, transient=self.transient)
        self.live.start()

    def show(self, step: int, facts: str) -> None:
        """Move on; `facts` replaces the line below, unless there are none."""
        self.progress.update(self.row, completed=step)
        self.line.plain = facts or self.line.plain

    def stop(self) -> None:
        """Leave it as it is."""
        self.live.stop()


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


def clock(seconds: float) -> str:
    """Such as 0:05, 12:30 or 3:05:00."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
