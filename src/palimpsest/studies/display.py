"""What a person sees of a study: a table of its runs on a terminal, a line where a run begins and ends elsewhere."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from palimpsest.core.words import counted
from palimpsest.studies.children import Child, State

ORDER: tuple[State, ...] = ("running", "failed", "interrupted", "waiting", "done")  # what a small terminal shows first


@dataclass
class StudyDisplay:
    """Shows the runs as they are, whenever it is told to. quiet: says nothing."""

    console: Console = field(default_factory=Console)
    quiet: bool = False
    live: Live | None = None
    said: dict[str, State] = field(default_factory=dict)

    def __enter__(self) -> "StudyDisplay":
        if self.console.is_terminal and not self.quiet:
            self.live = Live(console=self.console, auto_refresh=False)
            self.live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.live:
            self.live.stop()

    def show(self, children: Sequence[Child]) -> None:
        """All runs in place on a terminal; elsewhere those whose state has changed."""
        if self.live:
            self.live.update(table(children), refresh=True)
            return
        for child in children:
            name = child.plan.name
            if self.said.get(name, "waiting") != child.state:
                self.say(f"{name}: {in_words(child, plain=True)}")
                self.said[name] = child.state

    def say(self, sentence: str) -> None:
        """A sentence."""
        if not self.quiet:
            self.console.print(sentence, soft_wrap=True, highlight=False, markup=False)


def table(children: Sequence[Child]) -> Table:
    """A row a run, those at work first."""
    counts = Counter(child.state for child in children)
    title = ", ".join(f"{counts[state]} {state}" for state in reversed(ORDER) if counts[state])
    made = Table(title=f"{counted(len(children), 'run')}: {title}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("run", overflow="fold")
    made.add_column("state", overflow="fold")
    for child in sorted(children, key=lambda child: ORDER.index(child.state)):
        made.add_row(Text(child.plan.name), Text(in_words(child)))
    return made


def in_words(child: Child, plain: bool = False) -> str:
    """A run's state. plain: for a line that is written once, where the state begins."""
    if child.state == "running":
        return ("goes on" if child.resumed else "begins") if plain else f"running, {child.progress}"
    if child.state == "failed":
        return f"failed: {child.why} (see {child.log})"
    if child.state == "interrupted":
        return "interrupted, and can be gone on with"
    if child.state == "done" and child.process is None:
        return "done before"
    return child.state
