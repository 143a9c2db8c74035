"""What a model that was given and taught on still makes of what it made before: in a sentence, and as a table."""

from collections.abc import Iterator, Sequence

from palimpsest.reports.comparison import Cell
from palimpsest.reports.gather import Gathered, Method, mean
from palimpsest.reports.markup import ABSENT, Markup, Section, arrow, join, scroll, table, tag, title
from palimpsest.reports.results import Task
from palimpsest.reports.section_results import in_words

KEPT = ("coverage_old", "density_old")
BOUNDS = {"expected": "if nothing were lost", "new_pictures": "if everything were"}


def kept_in_words(task: Task) -> str:
    """Such as "near 75 % of ... (87 % if nothing were lost, 25 % if everything were)"; "" where it was not measured."""
    name = KEPT[0]
    if name not in task.measures:
        return ""
    bounds = (f"{task.kept[which][name]:.0%} {words}" for which, words in BOUNDS.items() if task.kept.get(which))
    said = f"near {task.measures[name]:.0%} of what the model made before, it still makes something"
    return said + (f" ({', '.join(bounds)})" if task.kept else "")


def learnt_in_words(task: Task) -> str:
    """Such as "near 60 % of the new pictures it makes something (5 % before, 75 % where they get their share)"; "" where not measured."""
    learnt = task.kept.get("learnt")
    if not learnt:
        return ""
    return (
        f"near {learnt['coverage']:.0%} of the new pictures it makes something ({learnt['before']:.0%} before, {learnt['expected']:.0%} if they "
        "get their share of what it makes)"
    )


def kept(found: Gathered) -> Section | None:
    """coverage_old and density_old of each method, between what they would be if nothing, and if everything, were lost."""
    having = [method for method in found.measured if KEPT[0] in method.row.measures]
    if not having:
        return None
    words = (
        "The pictures that the given model was taught are not there, so it is asked itself: its own samples are what the taught "
        "model's samples are compared with, both by one sampler and in the given model's features. Coverage is the share of its "
        "samples near which the taught one still makes something; density is how thickly samples lie there, over how thickly its "
        "own do. The bounds are what is expected where all is kept and the new takes its share of the samples, and what the new "
        "pictures alone come to."
    )
    tables = (measure_table(name, having) for name in KEPT)
    said = (f"{m.name}, seed {r.seed}: {learnt}." for m in having for r in m.results if (learnt := learnt_in_words(r.tasks[-1])))
    return Section("kept", "What was kept of the given model", (tag("p", words), *tables, *(tag("p", each) for each in said)))


def measure_table(name: str, methods: Sequence[Method]) -> Markup:
    """One measure of each method between its bounds."""
    heads = ("method", join([title(name), " ", arrow(name)]), *BOUNDS.values())
    return scroll(table(heads, ([method.name, *numbers(method, name)] for method in methods)), title(name))


def numbers(method: Method, name: str) -> Iterator[str]:
    """The measure, and its bounds, mean over seeds."""
    yield in_words(method.row.measures[name])
    for which in BOUNDS:
        cell: Cell | None = mean(r.tasks[-1].kept.get(which, {}).get(name) for r in method.results)
        yield in_words(cell) if cell else ABSENT
