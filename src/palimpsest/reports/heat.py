"""Heat maps as tables: each number stands in its cell, and the cell's shade says it again."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from palimpsest.core.words import counted
from palimpsest.reports.gather import is_number
from palimpsest.reports.markup import Markup, hidden, scroll, short, tag

STARVING = 0.1  # share of its due under which a class starves


@dataclass(frozen=True)
class Heat:
    """A grid of numbers; None where there is none. finding: what it shows, in words and numbers."""

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    finding: str = ""

    @property
    def numbers(self) -> list[float]:
        return [value for row in self.values for value in row if is_number(value)]


@dataclass(frozen=True)
class Shade:
    """How deep a cell is, in [0, 1], and in which colour."""

    depth: float
    colour: str = "heat"


Scale = Callable[[float], Shade]


def heat_map(heat: Heat, scale: Scale, corner: str) -> Markup:
    """The grid as a table that scrolls by itself. corner: what rows and columns are, in two lines."""
    head = tag(
        "tr", tag("th", corner, scope="col", class_="corner"), *(tag("th", n, scope="col") for n in heat.columns)
    )
    rows = (
        tag("tr", tag("th", name, scope="row"), *(shaded(value, scale) for value in values))
        for name, values in zip(heat.rows, heat.values, strict=True)
    )
    caption = (
        tag("caption", tag("strong", heat.name), tag("span", heat.finding, class_="finding")) if heat.name else None
    )
    return scroll(tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="heat"), heat.name or corner)


def shaded(value: float | None, scale: Scale) -> Markup:
    if not is_number(value):
        return tag("td", hidden("none"), class_="none")
    shade = scale(value)
    return tag("td", short(value), class_=shade.colour, style=f"--v:{shade.depth:.2f}")


def rising(heats: Sequence[Heat], logarithmic: bool = False) -> Scale:
    """Deeper where larger, from the least to the greatest number of all the grids."""
    numbers = [value for heat in heats for value in heat.numbers if value > 0 or not logarithmic]
    place = (lambda value: math.log(max(value, low))) if logarithmic else float
    low, high = min(numbers, default=1.0), max(numbers, default=1.0)

    def scale(value: float) -> Shade:
        span = place(high) - place(low)
        return Shade(0.06 + 0.94 * (place(value) - place(low)) / span if span else 0.3)

    return scale


def around_one(value: float) -> Shade:
    """Deeper where further from 1: one colour below, another above; 0 and 2 are the ends."""
    return Shade(min(abs(value - 1), 1.0), "under" if value < 1 else "over")


def share_of_one(value: float) -> Shade:
    """Deeper where larger, from 0 to 1."""
    return Shade(min(max(value, 0.0), 1.0))


def seeds_in_words(seeds: int) -> str:
    return f"mean over {counted(seeds, 'seed')}" if seeds > 1 else "one seed"
