"""What a person sees while pictures are drawn: a bar on a terminal, a line now and then elsewhere."""

import time
from dataclasses import dataclass, field

from rich.console import Console

from palimpsest.core.bar import Bar, clock

LINES = 20  # that the whole work gets where there is no terminal


@dataclass
class SynthesisDisplay:
    """quiet: says nothing (all processes but the first).  world: how many processes draw."""

    console: Console = field(default_factory=Console)
    quiet: bool = False
    world: int = 1
    bar: Bar | None = None

    def begin(self, pictures: int, done: int) -> None:
        """So many pictures are wanted, of which some are there."""
        self.pictures, self.first, self.done, self.flagged, self.said = pictures, done, done, 0, -1
        self.began = time.monotonic()
        if self.console.is_terminal and not self.quiet:
            self.bar = Bar(self.console, "drawing", pictures, done)

    def drawn(self, pictures: int, flagged: int) -> None:
        """This process has drawn a batch; the others are taken to be as fast."""
        self.done = min(self.done + pictures * self.world, self.pictures)
        self.flagged += flagged
        if self.bar:
            self.bar.show(self.done, self.facts())
        elif self.said < (part := self.done * LINES // self.pictures):
            self.said = part
            self.say(f"  {self.done:,} of {self.pictures:,} pictures: {self.facts()}")

    def facts(self) -> str:
        """Rate, time left, and what was flagged so far."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        rate = (self.done - self.first) / seconds
        left = clock((self.pictures - self.done) / rate) if rate else "?"
        flagged = f"  flagged and drawn again: {self.flagged:,}" if self.flagged else ""
        return f"{rounded(rate)} pictures/s  left: {left}{flagged}"

    def end(self) -> None:
        """It is over, or has been interrupted."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def say(self, sentence: str) -> None:
        """A sentence."""
        if not self.quiet:
            self.console.print(sentence, soft_wrap=True, highlight=False, markup=False)


def rounded(rate: float) -> str:
    """Such as 0.0312, 4.21 or 1,520."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
