"""While training: the loss of each term, what was replayed, and what it cost."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from palimpsest.reports.comparison import Cell
from palimpsest.reports.figures import Line, legend, line_chart
from palimpsest.reports.gather import Gathered, Method, Run, is_number, mean
from palimpsest.reports.heat import STARVING, Heat, around_one, heat_map
from palimpsest.reports.markup import ABSENT, Markup, Section, figure, grid, join, scroll, short, table, tag
from palimpsest.reports.numbers import amount, duration, plain
from palimpsest.reports.section_results import course, label

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
    positive = all(cell.mean > 0 for line in lines for _, cell in line.points)
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
    return figure(join([chart, legend(lines, markers=False)]), join([tag("strong", method.name), seed]))


def loss_lines(run: Run) -> tuple[dict[str, list[tuple[float, float]]], list[float]]:
    """The loss of each term at steps counted through all tasks and phases, and the steps at which tasks begin."""
    terms: dict[str, list[tuple[float, float]]] = {}
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
                terms.setdefault(name, []).append((before + step, loss))
    return terms, bounds


def thinned(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, Cell], ...]:
    """At most MOST points, each the mean of its neighbours."""
    width = -(-len(points) // MOST)
    parts = (points[place : place + width] for place in range(0, len(points), width))
    return tuple((part[-1][0], Cell(sum(loss for _, loss in part) / len(part), None, 1)) for part in parts)


def replay(found: Gathered) -> Section | None:
    """Purity over tasks, a line a method; the share of each class over its due, a map a method."""
    having = [m for m in found.measured if any(task.replay for r in m.results for task in r.tasks)]
    if not having:
        return None
    lines = [line for method in having if (line := purity(method))]
    heats = [heat for method in having for heat in share_maps(method)]
    body = [
        tag("ul", *(tag("li", text) for text in starving(having)), class_="warnings")
        if any(starving(having))
        else None,
        purity_figure(lines) if lines else None,
        share_figure(heats) if heats else None,
    ]
    return Section("replay", "What was replayed", tuple(body))


def purity(method: Method) -> Line | None:
    cells = ((n, method.over_seeds(n, lambda task: purity_of(task.replay))) for n in method.task_numbers())
    points = tuple((number, cell) for number, cell in cells if cell)
    return Line(label(method), method.place, points) if points else None


def purity_of(entries: Iterable[Mapping[str, Any]]) -> float | None:
    """Of all replay of a task: the generator's where there are several learners."""
    found = [each for each in entries if is_number(each.get("purity"))]
    return min(found, key=lambda each: each.get("learner") != "denoiser")["purity"] if found else None


def purity_figure(lines: Sequence[Line]) -> Markup:
    alternative = f"Purity of the replay during each task, higher is better. {'; '.join(map(course, lines))}."
    words = "share of what the generator replays that the evaluator takes for what it should be (any past class, where pictures carry no labels); 1 is pure"
    caption = join([tag("strong", "Purity of what was replayed"), tag("span", words, class_="unit")])
    return figure(
        join([line_chart(lines, alternative, x="task", size=(5.0, 2.3)), legend(lines)]), caption, class_="half"
    )


def share_maps(method: Method) -> Iterator[Heat]:
    """Task × class for each kind of replay of the method's first run: share over what is due to each class."""
    results = next(r for r in method.results if any(task.replay for task in r.tasks))
    kinds = dict.fromkeys((e.get("source"), e.get("learner")) for task in results.tasks for e in task.replay)
    order = [name for task in results.tasks for name in task.classes]
    for kind in kinds:
        rows, values = [], []
        for task in results.tasks:
            past = [name for each in results.tasks if each.number < task.number for name in each.classes]
            for entry in task.replay:
                if (entry.get("source"), entry.get("learner")) == kind:
                    rows.append(str(task.number))
                    values.append(tuple(times_due(entry, name, past) for name in order))
        heads = tuple(named(results, name) for name in order)
        heat = Heat(f"{method.name}: {kind[0]} → {kind[1]}", tuple(rows), heads, tuple(values))
        if heat.numbers:
            yield Heat(
                heat.name, heat.rows, heads, heat.values, f"seed {results.seed}; least: {short(min(heat.numbers))}"
            )


def times_due(entry: Mapping[str, Any], name: str, past: Sequence[str]) -> float | None:
    """1 where a past class has its equal share."""
    share = (entry.get("shares") or {}).get(name, 0.0)
    return share * len(past) if name in past and is_number(share) else None


def named(results: Any, number: str) -> str:
    known = number.isdecimal() and int(number) < len(results.class_names)
    return results.class_names[int(number)] if known else number


def share_figure(heats: Sequence[Heat]) -> Markup:
    words = "share of each class in the replay over its due; 1 is right, orange too rare, blue too frequent; classes as they came"
    caption = join([tag("strong", "Classes replayed"), tag("span", words, class_="unit")])
    return figure(grid(*(heat_map(heat, around_one, "task ↓ class →") for heat in heats), class_="wide"), caption)


def starving(methods: Iterable[Method]) -> Iterator[str]:
    """A sentence for every replay in which a class has under a tenth of its due."""
    for method in methods:
        for results in method.results:
            for task in results.tasks:
                for entry in task.replay:
                    if entry.get("starving"):
                        classes = ", ".join(named(results, str(each)) for each in entry["starving"])
                        yield (
                            f"{method.name}, seed {results.seed}, task {task.number}: of class {classes} the "
                            f"{entry.get('source')} hold less than {STARVING:.0%} of what is due."
                        )


def cost(found: Gathered) -> Section | None:
    """Passes, time and memory of each method, mean over seeds."""
    having = [method for method in found.measured if any(results.cost for results in method.results)]
    if not having:
        return None
    most = max((total(method) for method in having), default=0.0)
    headings = ("method", "passes", "student", "teacher", "time", "classifier's passes", "its time", "peak memory")
    rows = ([m.name, bar(total(m), most), *texts(m)] for m in having)
    words = (
        "A pass is one picture through a network once; a backward counts two. Training only, the classifier beside the "
    )
    note = tag("p", words + "generator apart. Means over seeds.", class_="note")
    return Section("cost", "Cost", (scroll(table(headings, rows), "cost"), note))


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


def texts(method: Method) -> Iterator[str]:
    seconds, memory = spent(method, "seconds"), spent(method, "peak_memory_bytes")
    for value, unit in (
        (spent(method, "student_passes"), amount),
        (spent(method, "teacher_passes"), amount),
        (seconds, duration),
        (by_classifier(method), amount),
        (spent(method, "classifier", "seconds"), duration),
    ):
        yield ABSENT if value is None else unit(value)
    yield ABSENT if memory is None else f"{memory / 1e6:.0f} MB"
