"""While training: the loss of each term."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from palimpsest.reports.comparison import Cell
from palimpsest.reports.figures import Line, legend, line_chart
from palimpsest.reports.gather import Gathered, Method, Run, is_number
from palimpsest.reports.markup import Markup, Section, figure, grid, join, tag
from palimpsest.reports.numbers import plain

MOST = 300  # points of a line


def losses(found: Gathered) -> Section | None:
    """A chart a method, of its first run that has steps; a line a term."""
    figures = [each for method in found.methods if (each := loss_chart(method))]
    return Section("losses", "Loss of each term", (grid(*figures, class_="halves"),)) if figures else None


def loss_chart(method: Method) -> Markup | None:
    run = next((run for run in method.runs if any(run.said("step"))), None)
    if run is None:
        return None
    terms, bounds = loss_lines(run)
    if not terms:
        return None
    lines = [Line(name, place, thinned(points)) for place, (name, points) in enumerate(terms.items())]
    said = "; ".join(f"{n}: {plain(p[0][1])} at first, {plain(p[-1][1])} at last" for n, p in terms.items())
    positive = not any(cell.mean <= 0 for line in lines for _, cell in line.points)
    chart = line_chart(
        lines,
        f"Loss of each term of {run.name}. {said}.",
        x="step over all tasks",
        size=(5.0, 2.3),
        logarithmic=positive,
        whole=False,
        bounds=bounds,
    )
    seed = tag("span", f"{run.name}; a rule where a task begins", class_="unit")
    return figure(join([legend(lines, markers=False), chart]), join([tag("strong", method.name), seed]))


def loss_lines(run: Run) -> tuple[dict[str, list[tuple[float, float]]], list[float]]:
    """The loss of each term at steps counted through all tasks and phases, and the steps at which tasks begin.

    Between two tasks, and where other phases lie between, a line is broken by a value that is no number.
    """
    terms: dict[str, list[tuple[float, float]]] = {}
    seen: dict[str, Any] = {}
    bounds, before, last, part = [], 0.0, 0.0, None
    for event in run.said("step"):
        step, losses = event.get("step"), event.get("losses")
        if not is_number(step) or not isinstance(losses, Mapping):
            continue
        if part and part != (event.get("task"), event.get("phase")):
            before += last
            bounds += [before] if part[0] != event.get("task") else []
        part, last = (event.get("task"), event.get("phase")), step
        for name, loss in losses.items():
            if is_number(loss):
                if seen.setdefault(name, part) != part:
                    terms[name].append((before, math.nan))
                terms.setdefault(name, []).append((before + step, loss))
                seen[name] = part
    return terms, bounds


def thinned(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, Cell], ...]:
    """At most MOST points, each the mean of its neighbours."""
    width = -(-len(points) // MOST)
    parts = (points[place : place + width] for place in range(0, len(points), width))
    return tuple((part[-1][0], Cell(sum(loss for _, loss in part) / len(part), None, 1)) for part in parts)
