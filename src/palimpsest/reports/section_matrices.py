"""Where a method forgets: task seen × task measured, classes, and noise level × past task."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from palimpsest.reports.comparison import Cell
from palimpsest.reports.gather import Gathered, Method, complete, is_number, mean
from palimpsest.reports.heat import Heat, Scale, around_one, heat_map, rising, seeds_in_words, share_of_one
from palimpsest.reports.markup import Markup, Section, figure, grid, join, short, tag
from palimpsest.reports.section_results import label

Entry = Mapping[str, Any]
GIVEN = "given model"  # of which own samples stand for what it was taught
Value = Callable[[Entry], float | None]


def share_of_due(entry: Entry) -> float | None:
    """How often a class or task appears among the samples over how often it should: 1 is right."""
    frequency, due = entry.get("frequency"), entry.get("due")
    return frequency / due if is_number(frequency) and is_number(due) and due else None


KINDS: tuple[tuple[str, str, Value], ...] = (
    (
        "Accuracy",
        "share of the test pictures that are labelled rightly; stronger is better",
        lambda e: e.get("accuracy"),
    ),
    ("FID", "against real pictures of it alone; fainter is better, in a logarithmic scale", lambda e: e.get("fid")),
    (
        "Frequency over its due",
        "how often samples show it, over how often they should; 1 is right, orange too rare, blue too frequent",
        share_of_due,
    ),
)


def matrices(found: Gathered) -> Section | None:
    """A block a kind of number, a matrix a method; the numbers of each class after the last task below."""
    body = []
    for name, meaning, value in KINDS:
        read = partial(of_task, accuracy=name == "Accuracy", value=value)
        heats = [heat for method in found.measured if (heat := task_matrix(method, read))]
        body += block(name, f"{meaning}; {seeds_of(found)}", heats, "after ↓\nmeasured →")
    for name, meaning, value in KINDS:
        heat = class_grid(found, value)
        body += block(f"{name} of each class", f"{meaning}; after the last task", [heat] if heat else [], "method")
    return Section("matrices", "What is remembered of each task", tuple(body)) if body else None


def of_task(results: Any, seen: int, measured: int, *, accuracy: bool, value: Value) -> float | None:
    """The number of task `measured` after task `seen` in one run."""
    if accuracy and len(results.accuracy_matrix) >= seen and len(results.accuracy_matrix[seen - 1]) >= measured:
        return results.accuracy_matrix[seen - 1][measured - 1]
    entries = (entry for task in results.tasks if task.number == seen for entry in task.per_task)
    return next((value(entry) for entry in entries if entry.get("task") == measured), None)


def task_matrix(method: Method, read: Callable[[Any, int, int], float | None]) -> Heat | None:
    numbers = method.task_numbers()
    cells = [[complete(read(r, seen, n) for r in method.results) for n in numbers] for seen in numbers]
    values = tuple(tuple(cell.mean if cell else None for cell in row) for row in cells)
    heads = tuple(map(str, numbers))
    heat = Heat(label(method), heads, heads, values)
    return Heat(heat.name, heads, heads, values, finding(values, numbers)) if heat.numbers else None


def finding(values: Sequence[Sequence[float | None]], numbers: Sequence[int]) -> str:
    """The fate of the first task, and the mean at the end."""
    first = [row[0] for row in values if is_number(row[0])]
    last = [value for value in values[-1] if is_number(value)]
    fate = f"task {numbers[0]}: {short(first[0])} → {short(first[-1])}" if len(first) > 1 else ""
    end = f"mean after task {numbers[-1]}: {short(sum(last) / len(last))}" if last else ""
    return "; ".join(filter(None, (fate, end)))


def class_grid(found: Gathered, value: Value) -> Heat | None:
    """Methods × classes after the last task of finished runs, mean over seeds."""
    rows = {label(m): by_class(m, value) for m in found.measured if m.finished}
    classes = sorted({number for row in rows.values() for number, cell in row.items() if cell})
    rows = {name: row for name, row in rows.items() if any(row.values())}
    if not rows:
        return None
    names = next(iter(r.class_names for m in found.measured for r in m.results if r.class_names), ())
    heads = tuple(names[n] if n < len(names) else str(n) for n in classes)
    values = tuple(tuple(row[n].mean if row.get(n) else None for n in classes) for row in rows.values())
    return Heat("", tuple(rows), heads, values, "")


def by_class(method: Method, value: Value) -> dict[int, Cell | None]:
    found: dict[int, list[float | None]] = {}
    for results in method.results:
        for entry in results.tasks[-1].per_class:
            found.setdefault(entry.get("class", -1), []).append(value(entry))
    return {number: complete(values) for number, values in found.items()}


def block(name: str, meaning: str, heats: Sequence[Heat], corner: str) -> Iterable[Markup]:
    """One kind of number for all methods, in one scale."""
    if not heats:
        return
    caption = join([tag("strong", name), tag("span", meaning, class_="unit")])
    yield figure(grid(*(heat_map(heat, scale_of(name, heats), corner) for heat in heats), class_="heats"), caption)


def scale_of(name: str, heats: Sequence[Heat]) -> Scale:
    if name.startswith("Accuracy"):
        return share_of_one
    return around_one if name.startswith("Frequency") else rising(heats, logarithmic=True)


def seeds_of(found: Gathered) -> str:
    counts = {len(method.runs) for method in found.measured} or {1}
    return seeds_in_words(counts.pop()) if len(counts) == 1 else "mean over each method's seeds"


def denoising(found: Gathered) -> Section | None:
    """Noise level × past task after the last task, a map a method."""
    heats = [heat for method in found.measured if (heat := error_map(method))]
    if not heats:
        return None
    meaning = (
        "mean squared difference of the predicted noise between the model after the last task and the first model that "
        f"knew the task (or the given one, on its own samples), by noise level (0 is a clean picture); fainter is better; {seeds_of(found)}"
    )
    maps = grid(*(heat_map(heat, rising(heats, logarithmic=True), "task ↓\nlevel →") for heat in heats), class_="wide")
    caption = join([tag("strong", "Denoising error"), tag("span", meaning, class_="unit")])
    return Section("denoising", "At which noise levels it forgets", (figure(maps, caption),))


def error_map(method: Method) -> Heat | None:
    """The mean over those seeds that have the levels of the first."""
    found = [r.tasks[-1].denoising_error for r in method.results if r.tasks[-1].denoising_error.get("errors")]
    found = [each for each in found if each.get("levels") == found[0].get("levels")]
    if not found or not found[0].get("levels"):
        return None
    levels, rows = found[0]["levels"], range(len(found[0]["errors"]))
    cells = [[mean(one(each, row, place) for each in found) for place in range(len(levels))] for row in rows]
    values = tuple(tuple(cell.mean if cell else None for cell in row) for row in cells)
    tasks = found[0].get("tasks") or [row + 1 for row in rows]  # an older run does not name them
    heat = Heat(label(method), tuple(str(task or GIVEN) for task in tasks), tuple(map(str, levels)), values)
    return Heat(heat.name, heat.rows, heat.columns, values, worst(heat)) if heat.numbers else None


def one(found: Mapping[str, Any], task: int, place: int) -> float | None:
    try:
        return found["errors"][task][place]
    except (IndexError, TypeError):
        return None


def worst(heat: Heat) -> str:
    """Where the greatest error is."""
    places = [(v, r, c) for r, row in zip(heat.rows, heat.values) for c, v in zip(heat.columns, row) if is_number(v)]
    value, row, column = max(places)
    where = row if row == GIVEN else f"task {row}"
    return f"most forgotten: {where} at level {column}, {short(value)}"
