"""What was replayed: is it pure, and is every old class in it?"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from palimpsest.reports.figures import Line, legend, line_chart
from palimpsest.reports.gather import Gathered, Method, is_number
from palimpsest.reports.heat import STARVING, Heat, around_one, heat_map
from palimpsest.reports.markup import (
    ABSENT,
    Markup,
    Section,
    details,
    figure,
    grid,
    join,
    scroll,
    short,
    table,
    tag,
)
from palimpsest.reports.section_results import course, label

Share = Callable[[Mapping[str, Any], str], float | None]
SHOWN = 6  # warnings that are not folded away


def replay(found: Gathered) -> Section | None:
    """Purity over tasks, a figure for what each learner replays; the share of each class over its due, a map a method."""
    having = [m for m in found.measured if any(task.replay for r in m.results for task in r.tasks)]
    if not having:
        return None
    kinds = dict.fromkeys(kind_of(entry) for method in having for entry in entries_of(method))
    figures = [purity_figure(kind, lines) for kind in kinds if (lines := purities(having, kind))]
    body = [
        warned(tuple(starving(having))),
        grid(*figures) if figures else None,
        *(share_figure(having, *each) for each in (SEEN, LABELLED)),
        kept_table(having),
    ]
    return Section("replay", "What was replayed", tuple(body))


def warned(said: Sequence[str]) -> Markup | None:
    """A list of warnings, folded from the seventh on."""
    if not said:
        return None
    shown, rest = ([tag("li", text) for text in part] for part in (said[:SHOWN], said[SHOWN:]))
    more = tag("li", details(f"{len(rest)} more of this kind", tag("ul", *rest))) if rest else None
    return tag("ul", *shown, more, class_="warnings")


def entries_of(method: Method) -> Iterator[Mapping[str, Any]]:
    """What all its runs replayed in all tasks."""
    return (entry for results in method.results for task in results.tasks for entry in task.replay)


def kind_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """What is replayed, and to whom."""
    return str(entry.get("source")), str(entry.get("learner"))


def purities(methods: Sequence[Method], kind: tuple[str, str]) -> list[Line]:
    """A line a method that replays this."""
    found = []
    for method in methods:
        cells = ((n, method.over_seeds(n, lambda task: purity_of(task.replay, kind))) for n in method.task_numbers())
        if points := tuple((number, cell) for number, cell in cells if cell):
            found.append(Line(label(method), method.place, points))
    return found


def purity_of(entries: Iterable[Mapping[str, Any]], kind: tuple[str, str]) -> float | None:
    """Of what a task replays of this kind; None where nobody looked."""
    return next((each["purity"] for each in entries if kind_of(each) == kind and is_number(each.get("purity"))), None)


def purity_figure(kind: tuple[str, str], lines: Sequence[Line]) -> Markup:
    what = f"Purity of {kind[0]} for the {kind[1].replace('_', ' ')}"
    alternative = f"{what} during each task, higher is better. {'; '.join(map(course, lines))}."
    words = (
        "share of the replayed pictures that the evaluator takes for what they should be (any past class, where they "
        "carry no labels); 1 is pure"
    )
    caption = join([tag("strong", what), tag("span", words, class_="unit")])
    return figure(join([legend(lines), line_chart(lines, alternative, x="task", size=(5.0, 2.3))]), caption)


def share_figure(methods: Sequence[Method], share: Share, name: str, words: str) -> Markup | None:
    """A map for all that each method replays, where anything is known of its classes."""
    heats = [heat for method in methods for heat in share_maps(method, share)]
    caption = join([tag("strong", name), tag("span", words, class_="unit")])
    maps = (heat_map(heat, around_one, "task ↓\nclass →") for heat in heats)
    return figure(grid(*maps, class_="wide"), caption) if heats else None


def share_maps(method: Method, share: Share) -> Iterator[Heat]:
    """Task × class for each kind of replay of the method's first run: share over what is due to each class."""
    results = next(r for r in method.results if any(task.replay for task in r.tasks))
    order = [name for task in results.tasks for name in task.classes]
    for kind in dict.fromkeys(kind_of(entry) for task in results.tasks for entry in task.replay):
        rows, values = [], []
        for task in results.tasks:
            past = [name for each in results.tasks if each.number < task.number for name in each.classes]
            for entry in (each for each in task.replay if kind_of(each) == kind):
                due = list(entry.get("accepted") or past)
                rows.append(str(task.number))
                values.append(tuple(times_due(share(entry, name), name, due) for name in order))
        heads = tuple(named(results, name) for name in order)
        heat = Heat(f"{method.name}: {kind[0]} → {kind[1]}", tuple(rows), heads, tuple(values))
        if heat.numbers:
            yield replace(heat, finding=f"seed {results.seed}; least: {short(min(heat.numbers))}")


def times_due(share: float | None, name: str, due: Sequence[str]) -> float | None:
    """1 where a class that is due has its equal share; None where nobody looked."""
    return share * len(due) if name in due and is_number(share) else None


def seen_share(entry: Mapping[str, Any], name: str) -> float | None:
    """Of what is replayed, by the evaluator's eyes."""
    return entry["shares"].get(name, 0.0) if entry.get("shares") else None


def labelled_share(entry: Mapping[str, Any], name: str) -> float | None:
    """Of all dreams, by the eyes of the model that labels them; None where dreams are not chosen from."""
    return (entry.get("labelled") or {}).get(name, 0) / entry["drawn"] if entry.get("labelled") else None


SEEN = (
    seen_share,
    "Classes replayed",
    "share of each class in the replay over its due; 1 is right, orange too rare, blue too frequent; classes in the order in which "
    "they came",
)
LABELLED = (
    labelled_share,
    "Classes dreamt",
    "where a model labels its dreams itself: share of the dreams that it accepts as each class, kept or not, over what is due; a class "
    "far below 1 makes it dream longer",
)


def named(results: Any, number: str) -> str:
    known = number.isdecimal() and int(number) < len(results.class_names)
    return results.class_names[int(number)] if known else number


def kept_table(methods: Sequence[Method]) -> Markup | None:
    """Where dreams are chosen from: how many were dreamt and kept, of each method's first run that has any."""
    rows = [row for method in methods for row in kept_rows(method)]
    if not rows:
        return None
    heads = ("method", "task", "dreams", "dreamt", "kept", "thrown away", "filled up with copies", "without any")
    words = "Where a model labels what it dreams: what was not of a class that was wanted, or of one that was full, was thrown away."
    return join([scroll(table(heads, rows), "dreams that were kept"), tag("p", words, class_="note")])


def kept_rows(method: Method) -> Iterator[list[str]]:
    """A row a task and source."""
    chosen = ((r, task, each) for r in method.results for task in r.tasks for each in task.replay if each.get("drawn"))
    first = None
    for results, task, entry in chosen:
        first = first or results
        if results is first:
            short, empty = ([named(results, str(c)) for c in entry.get(name) or ()] for name in ("filled_up", "empty"))
            kept, wasted = sum((entry.get("accepted") or {}).values()), entry.get("wasted")
            share = f"{wasted:.0%}" if is_number(wasted) else ABSENT
            numbers = (str(task.number), str(entry.get("source")), f"{entry['drawn']}", f"{kept:.0f}", share)
            yield [
                f"{method.name}, seed {results.seed}",
                *numbers,
                ", ".join(short) or ABSENT,
                ", ".join(empty) or ABSENT,
            ]


def starving(methods: Iterable[Method]) -> Iterator[str]:
    """A sentence for every replay in which a class has under a tenth of its due."""
    for method in methods:
        for results in method.results:
            for task in results.tasks:
                for entry in task.replay:
                    if entry.get("starving"):
                        names = [named(results, str(each)) for each in entry["starving"]]
                        classes = f"class{'es' if len(names) > 1 else ''} {', '.join(names)}"
                        yield (
                            f"{method.name}, seed {results.seed}, task {task.number}: {entry.get('source')} for the "
                            f"{entry.get('learner')} hold under {STARVING:.0%} of what is due of {classes}."
                        )
