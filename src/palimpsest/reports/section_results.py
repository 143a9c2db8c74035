"""What the runs came to: the best numbers, the table of methods × measures, the curves over tasks."""

from collections.abc import Iterable, Sequence

from palimpsest.evaluation.catalog import LONG, find, in_order
from palimpsest.evaluation.headlines import first_on_page
from palimpsest.reports import comparison
from palimpsest.reports.comparison import Cell
from palimpsest.reports.figures import Line, legend, line_chart
from palimpsest.reports.gather import Gathered, Method
from palimpsest.reports.markup import (
    ABSENT,
    ERROR,
    Content,
    Markup,
    Section,
    arrow,
    details,
    figure,
    grid,
    hidden,
    join,
    scroll,
    table,
    tag,
    title,
)
from palimpsest.reports.numbers import with_error


def best_numbers(found: Gathered) -> Content:
    """A card for each headline measure: the best finished method and its number."""
    cards = [card(found, name) for name in first_on_page(n for m in found.measured for n in m.row.measures)]
    return grid(*cards, class_="cards") if cards else None


def card(found: Gathered, name: str) -> Markup:
    """The best of the finished methods; of all, where none is finished."""
    having = [each for each in found.measured if name in each.row.measures]
    having = [each for each in having if each.finished] or having
    better = find(name) and find(name).better == "lower"
    first = (min if better else max)(having, key=lambda each: each.row.measures[name].mean)
    by_long = first.row.measures.get(name + LONG)
    return tag(
        "div",
        tag("p", title(name), " ", arrow(name), class_="what"),
        tag("p", in_words(first.row.measures[name]), class_="number"),
        tag("p", ("best: " if len(having) > 1 else "") + first.name, class_="who"),
        tag("p", f"{in_words(by_long)} by the long sampler", class_="who") if by_long else None,
        class_="card",
    )


def in_words(cell: Cell) -> str:
    return with_error(cell.mean, cell.error)


def result_table(found: Gathered) -> Section | None:
    """Headline measures first, the others in a table below; each under the own and the long sampler."""
    if not found.table:
        return None
    names = list(dict.fromkeys(n.removesuffix(LONG) for n in found.table.measures if not is_error(n)))
    first = first_on_page(names) or names
    others = [name for name in names if name not in first]
    rest = details("All other measures", scroll(measures_table(found, others), "all other measures"))
    starred = len([each for each in found.measured if each.finished]) > 1
    notes = (*found.table.notes, *(["★ the best of the finished methods in its column"] if starred else []))
    return Section(
        "results",
        "Results after the last task",
        (
            scroll(measures_table(found, first, about=True), "results"),
            tag("p", "; ".join(notes) + ".", class_="note") if notes else None,
            rest if others else None,
        ),
    )


def is_error(name: str) -> bool:
    return name.removesuffix(LONG).endswith(ERROR)


def measures_table(found: Gathered, names: Sequence[str], about: bool = False) -> Markup:
    """Methods × measures; a measure that was also taken under the long sampler has two columns."""
    by_long = {name for name in names if name + LONG in found.table.measures}
    columns = [each for name in names for each in ((name, name + LONG) if name in by_long else (name,))]
    own, long = samplers(found)
    ends = ("remembers",) if about else ()
    tops = (
        tag("th", title(n), " ", arrow(n), scope="col", **({"colspan": "2"} if n in by_long else {"rowspan": "2"}))
        for n in names
    )
    head = tag("tr", *(tag("th", n, rowspan="2", scope="col") for n in ("method",)), *tops, *map(heading_below, ends))
    pairs = (tag("th", sampler, scope="col", class_="sampler") for _ in by_long for sampler in (own, long))
    best = {name: comparison.best(found.table.rows, name) for name in columns}
    rows = (
        tag("tr", named(method), *(measured(method, name, best[name]) for name in columns), *(ending(method, ends)))
        for method in found.measured
    )
    second = tag("tr", *pairs) if by_long else None
    return tag("table", tag("thead", head, second), tag("tbody", *rows), class_="results")


def heading_below(text: str) -> Markup:
    return tag("th", text, rowspan="2", scope="col", class_="words")


def samplers(found: Gathered) -> tuple[str, str]:
    """The names of the own and of the long sampler, where all runs agree on them."""
    said = {(r.samplers.get("own", "own"), r.samplers.get("long", "long")) for m in found.measured for r in m.results}
    return said.pop() if len(said) == 1 else ("own", "long")


def named(method: Method) -> Markup:
    """The head of a row: the strategy, what tells it apart, its seeds, and whether it is unfinished."""
    strategy, *options = method.row.method.split("\n")
    unfinished = None if method.finished else tag("span", f"unfinished, {method.row.progress}", class_="badge")
    several = "seeds" if len(method.row.seeds) > 1 else "seed"
    seeds = f"{several} {', '.join(map(str, method.row.seeds))}"
    lines = (tag("span", line, class_="option") for line in (*options, seeds))
    return tag("th", tag("span", strategy, class_="strategy"), *lines, unfinished, scope="row")


def measured(method: Method, name: str, best: float | None) -> Markup:
    cell = method.row.measures.get(name)
    if cell is None:
        return tag("td", ABSENT, class_="none")
    partly = f" ({cell.count} of {len(method.runs)})" if cell.count < len(method.runs) else ""
    value, _, error = in_words(cell).partition(" ± ")
    content = (value, tag("span", f" ± {error}", class_="error") if error else None, partly)
    if method.finished and cell.mean == best:
        star = tag("span", "★", class_="star", aria_hidden="true")
        return tag("td", star, tag("strong", *content), hidden(" best"), class_="best")
    return tag("td", *content)


def ending(method: Method, ends: Sequence[str]) -> Iterable[Markup]:
    return (tag("td", method.row.allowed_to_remember, class_="words") for _ in ends)


def curves(found: Gathered) -> Section | None:
    """A chart a measure, a line a method."""
    names = in_order(n for m in found.measured for r in m.results for task in r.tasks for n in task.measures)
    lines = {name: tuple(lines_of(found, name)) for name in names if not name.endswith(LONG) and not is_error(name)}
    lines = {name: several for name, several in lines.items() if any(len(line.points) > 1 for line in several)}
    first = first_on_page(lines) or list(lines)
    if not first:
        return None
    others = [name for name in lines if name not in first]
    return Section(
        "curves",
        "After each task",
        (
            legend(everyone(lines.values())),
            grid(*(curve(name, lines[name]) for name in first)),
            details("The curves of the other measures", grid(*(curve(name, lines[name]) for name in others)))
            if others
            else None,
            details("The numbers behind the curves", *(numbers(name, lines[name]) for name in lines)),
        ),
    )


def everyone(charts: Iterable[Sequence[Line]]) -> list[Line]:
    """A line of each method that is in any of the charts: a classifier has no FID, and a generator may have no accuracy."""
    found = {line.place: line for lines in charts for line in lines}
    return [found[place] for place in sorted(found)]


def lines_of(found: Gathered, name: str) -> Iterable[Line]:
    for method in found.measured:
        cells = ((n, method.over_seeds(n, lambda task: task.measures.get(name))) for n in method.task_numbers())
        points = tuple((number, cell) for number, cell in cells if cell)
        if points:
            yield Line(label(method), method.place, points)


def label(method: Method) -> str:
    return method.name if method.finished else f"{method.name} (unfinished)"


def curve(name: str, lines: Sequence[Line], expected: float | None = None) -> Markup:
    """One measure over tasks, with its course in words as the alternative text."""
    entry = find(name)
    unit = f", {entry.unit}, {entry.direction}" if entry else ""
    said = "; ".join(course(line) for line in lines)
    chart = line_chart(lines, f"{title(name)} after each task{unit}. {said}.", x="task", expected=expected)
    caption = join(
        [tag("strong", title(name)), " ", arrow(name), tag("span", entry.unit if entry else "", class_="unit")]
    )
    return figure(chart, caption)


def course(line: Line) -> str:
    """Such as "joint: 30.1 after task 1, 48.4 ± 4.8 after task 5"."""
    ends = dict.fromkeys((line.points[0], line.points[-1]))
    return f"{line.name}: " + ", ".join(f"{in_words(cell)} after task {number:.0f}" for number, cell in ends)


def numbers(name: str, lines: Sequence[Line]) -> Markup:
    places = sorted({number for line in lines for number, _ in line.points})
    rows = (
        [line.name, *(in_words(dict(line.points)[n]) if n in dict(line.points) else ABSENT for n in places)]
        for line in lines
    )
    heads = ["method", *(f"task {number:.0f}" for number in places)]
    return scroll(table(heads, rows, f"{title(name)} after each task"), title(name))
