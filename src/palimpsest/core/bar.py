"""A progress bar on a terminal, and times for people."""

from dataclasses import dataclass

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


def clock(seconds: float) -> str:
    """Such as 0:05, 12:30 or 3:05:00."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
