"""What a person sees while a run works: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


@dataclass
class Display:
    """Shows steps as they happen. quiet: says nothing (all processes but the first)."""

    console: Console = field(default_factory=Console)
    quiet: bool = False
    bar: Progress | None = None

    def begin(self, task: int, tasks: int, classes: str, steps: int, done: int) -> None:
        """A task's phase begins, with `done` of its `steps` behind it."""
        self.task, self.tasks, self.steps = task, tasks, steps
        self.first, self.began = done, time.monotonic()
        title = f"task {task}/{tasks} ({classes})"
        if self.quiet:
            return
        if not self.console.is_terminal:
            self.console.print(f"{title}: {steps} steps", soft_wrap=True, highlight=False)
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn())
        self.bar = Progress(*columns, TextColumn("{task.fields[facts]}", style="dim"), console=self.console)
        self.bar.start()
        self.row = self.bar.add_task(title, total=steps, completed=done, facts="")

    def step(self, step: int, losses: Mapping[str, float] | None = None, rate: float = 0.0) -> None:
        """A step is done; `losses` by term and pictures/s where they have just been read."""
        if self.quiet:
            return
        if self.bar:
            facts = {} if losses is None else {"facts": self.facts(step, losses, rate)}
            self.bar.update(self.row, completed=step, **facts)
        elif losses is not None:
            self.console.print(
                f"  step {step}/{self.steps}: {self.facts(step, losses, rate)}", soft_wrap=True, highlight=False
            )

    def facts(self, step: int, losses: Mapping[str, float], rate: float) -> str:
        """Losses, rate, time left for the task and for the run, as if all tasks were like this one."""
        seconds = (time.monotonic() - self.began) / max(step - self.first, 1)
        task = seconds * (self.steps - step)
        run = task + seconds * self.steps * (self.tasks - self.task)
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
            self.console.print(sentence, soft_wrap=isinstance(sentence, str), highlight=False)


def clock(seconds: float) -> str:
    """Such as 0:05, 12:30 or 3:05:00."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
