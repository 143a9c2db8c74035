"""What it cost, and what was got for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from palimpsest.evaluation.catalog import LONG
from palimpsest.reports.figures import Line, legend, point_chart
from palimpsest.reports.gather import Gathered, Method, mean
from palimpsest.reports.markup import (
    ABSENT,
    Content,
    Markup,
    Section,
    arrow,
    figure,
    grid,
    join,
    scroll,
    table,
    tag,
    title,
)
from palimpsest.reports.numbers import amount, duration
from palimpsest.reports.section_results import in_words, samplers

WEIGHED = ("fid", "kld")


def cost(found: Gathered) -> Section | None:
    """Passes, time and memory of each method, mean over seeds."""
    having = [method for method in found.measured if any(results.cost for results in method.results)]
    if not having:
        return None
    most = max((total(method) for method in having), default=0.0)
    beside = any(by_classifier(method) is not None for method in having)
    apart = ("classifier's passes", "its time") if beside else ()
    headings = ("method", "passes", "student", "teacher", "time", *apart, "peak memory")
    rows = ([m.name, bar(total(m), most), *texts(m, beside)] for m in having)
    words = "A pass is one picture through a network once; a backward counts two. Training only"
    note = tag("p", words + (", the classifier beside the generator apart" if beside else "") + ". Means over seeds.", class_="note")
    return Section(
        "cost", "Cost", (scroll(table(headings, rows), "cost"), note, against_quality(having, samplers(found)))
    )


def against_quality(methods: list[Method], named: tuple[str, str]) -> Content:
    """Charts of measures against passes, a point a finished method; nothing where all of them cost the same."""
    names = [name + ending for name in WEIGHED for ending in ("", LONG)]
    points = {name: weighed(methods, name) for name in names}
    points = {name: several for name, several in points.items() if differ(several)}
    if not points:
        return None
    most = max(points.values(), key=len)
    charts = (weighing(name, several, named) for name, several in points.items())
    return join([legend(most), grid(*charts, class_="halves")])


def differ(points: list[Line]) -> bool:
    return len({point.points[0][0] for point in points}) > 1


def weighed(methods: list[Method], name: str) -> list[Line]:
    """A point a finished method: its passes and a measure after the last task, where both are above 0."""
    points = []
    for method in methods:
        cell, passes = method.row.measures.get(name), total(method)
        if method.finished and cell and cell.mean > (cell.error or 0) and passes > 0:
            points.append(Line(method.name, method.place, ((passes, cell),)))
    return points


def weighing(name: str, points: list[Line], named: tuple[str, str]) -> Markup:
    """One measure against passes, with its numbers in words as the alternative text."""
    plain, by = name.removesuffix(LONG), named[name.endswith(LONG)]
    said = "; ".join(f"{p.name}: {in_words(p.points[0][1])} for {amount(p.points[0][0])}" for p in points)
    chart = point_chart(
        points, f"{title(plain)} by {by} against passes. {said}.", x="passes", text=amount, size=(5.0, 2.6)
    )
    caption = [tag("strong", title(plain)), " ", arrow(plain), tag("span", f"by {by}, against passes", class_="unit")]
    return figure(chart, join(caption))


def spent(method: Method, *path: str) -> float | None:
    """One part of the cost, mean over seeds; None where it was not counted."""
    found = []
    for results in method.results:
        part: Any = results.cost
        for key in path:
            part = part.get(key) if isinstance(part, Mapping) else None
        found.append(part)
    cell = mean(found)
    return cell.mean if cell else None


def by_classifier(method: Method) -> float | None:
    parts = [spent(method, "classifier", part) for part in ("student_passes", "teacher_passes")]
    return sum(part or 0 for part in parts) if any(part is not None for part in parts) else None


def total(method: Method) -> float:
    parts = (spent(method, "student_passes"), spent(method, "teacher_passes"))
    return sum(part or 0 for part in parts)


def bar(value: float, most: float) -> Markup:
    line = tag("span", class_="bar", style=f"--v:{value / most if most else 0:.3f}", aria_hidden="true")
    return join([line, amount(value)])


def texts(method: Method, beside: bool) -> Iterator[str]:
    """The cells of a method. beside: with those of a classifier beside the generator."""
    memory = spent(method, "peak_memory_bytes")
    own = [(spent(method, part), amount) for part in ("student_passes", "teacher_passes")] + [(spent(method, "seconds"), duration)]
    apart = [(by_classifier(method), amount), (spent(method, "classifier", "seconds"), duration)]
    for value, unit in own + (apart if beside else []):
        yield ABSENT if value is None else unit(value)
    yield ABSENT if memory is None else f"{memory / 1e6:.0f} MB"
