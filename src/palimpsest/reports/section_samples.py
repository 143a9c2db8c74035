"""Pictures: tasks × methods from the same noise, and the samples closest to training pictures."""

from collections.abc import Sequence

from palimpsest.evaluation.catalog import LONG
from palimpsest.reports.gather import Gathered, Method, Run
from palimpsest.reports.markup import ABSENT, Markup, Section, figure, grid, join, scroll, table, tag
from palimpsest.reports.numbers import plain
from palimpsest.reports.section_results import in_words, samplers
from palimpsest.reports.sheets import picture, sheet_path

EXPECTED = 0.01  # of held-out pictures are as near to a training picture as the measure asks, by its definition
BEFORE = "_before"  # the end of the name of a given model's sheet
BUDGET = 3_000_000  # characters of pictures that a page can hold


def samples(found: Gathered) -> Section | None:
    """Two rows of every sheet, or one where the page would grow too large."""
    chosen = [(method, run) for method in found.methods if (run := shown(method, seeds_of_all(found)))]
    if not chosen:
        return None
    rows = sheet_rows(found, chosen, 2)
    if sum(len(cell.text) for row in rows for cell in row[1:]) > BUDGET:
        rows = sheet_rows(found, chosen, 1)
    headings = ("task", *(join([method.name, seed_of(run)]) for method, run in chosen))
    sheets = tag("div", table(headings, rows), class_="sheets", style=f"--methods: {len(chosen)}")
    one_seed = len({run.results.seed for _, run in chosen if run.results}) == 1
    caption = (
        "Samples after each task. Every picture begins as the same noise as the pictures at its place in other "
        + ("cells." if one_seed else "cells of its column; the columns are of runs with different seeds.")
    )
    return Section("samples", "Samples", (figure(scroll(sheets, "samples by task and method"), caption),))


def shown(method: Method, preferred: set[int]) -> Run | None:
    """A run of the method that has a sheet, if possible with a seed that every method has: then the noise is the same."""
    having = [run for run in method.runs if any((run.folder / "samples").glob("task_*.png"))]
    return min(having, key=lambda run: run.results is None or run.results.seed not in preferred, default=None)


def seeds_of_all(found: Gathered) -> set[int]:
    """The least seed that every method with results has; empty where there is none."""
    common = set.intersection(*({r.seed for r in m.results} for m in found.measured)) if found.measured else set()
    return {min(common)} if common else set()


def seed_of(run: Run) -> Markup:
    return tag("span", f"seed {run.results.seed}" if run.results else "no results", class_="option")


def sheet_rows(found: Gathered, chosen: Sequence[tuple[Method, Run]], height: int) -> list[list[Markup]]:
    """A row a task, before it one of a given model, and one for the last task under the long sampler."""
    last = 1 + max(number_of(path.stem) for _, run in chosen for path in (run.folder / "samples").glob("task_*.png"))
    rows = []
    for number, kind in [(number, kind) for number in range(1, last) for kind in (BEFORE, "", LONG)]:
        cells = [sheet(method, run, number, kind, height) for method, run in chosen]
        if any(cells):
            rows.append([heading(found, number, kind), *(cell or tag("td", ABSENT, class_="none") for cell in cells)])
    return rows


def number_of(stem: str) -> int:
    digits = stem.split("_")[1]
    return int(digits) if digits.isdecimal() else 0


def heading(found: Gathered, number: int, kind: str) -> Markup:
    if kind == BEFORE:
        return tag("th", "before", scope="row")
    sampler = tag("span", samplers(found)[1], class_="option") if kind else None
    return tag("th", str(number), sampler, scope="row")


def sheet(method: Method, run: Run, number: int, kind: str, height: int) -> Markup | None:
    by_long = ", long sampler" if kind == LONG else ""
    when = "before" if kind == BEFORE else "after"
    alternative = f"Samples of {method.name} {when} task {number}{by_long}{in_numbers(run, number, kind)}"
    image = picture(sheet_path(run.folder, number, kind), alternative, height)
    return tag("td", image) if image else None


def in_numbers(run: Run, number: int, kind: str = "") -> str:
    """The measures that say how good the samples of a task are."""
    tasks = run.results.tasks if run.results else ()
    found = next((task.measures for task in tasks if task.number == number), {})
    said = [f"{name.upper()} {plain(found[name + kind])}" for name in ("fid", "kld") if name + kind in found]
    return ": " + ", ".join(said) if said else ""


def memorisation(found: Gathered) -> Section | None:
    """The share of copies against what is expected, and the closest pairs."""
    having = [method for method in found.measured if "memorisation" in method.row.measures]
    pairs = [pair for method in found.methods if (pair := closest(method))]
    if not having and not pairs:
        return None
    rows = ([m.name, in_words(cell := m.row.measures["memorisation"]), against(cell.mean)] for m in having)
    body = [
        tag(
            "p",
            "Share of the samples that lie nearer to a training picture than all but 1 % of held-out pictures do: "
            f"a model that does not memorise is expected to have {EXPECTED}.",
        ),
        scroll(table(("method", "memorisation", f"against the expected {EXPECTED}"), rows), "memorisation")
        if having
        else None,
        grid(*pairs) if pairs else None,
    ]
    return Section("memorisation", "Memorisation", tuple(body))


def against(share: float) -> Markup:
    """How many times the expected share, as a number and a bar whose tick is the expected one."""
    times = share / EXPECTED
    bar = tag("span", class_="bar tick", style=f"--v:{min(times / 4, 1):.3f}", aria_hidden="true")
    return join([bar, f"{times:.1f} ×"])


def closest(method: Method) -> Markup | None:
    """The closest pairs after the last task that has them."""
    for run in method.runs:
        for number in range(len(run.results.tasks) if run.results else 99, 0, -1):
            share = run.results.tasks[number - 1].measures.get("memorisation") if run.results else None
            said = "" if share is None else f"; memorisation {plain(share)}"
            alternative = f"The five closest pairs of {method.name} after task {number}{said}"
            if image := picture(sheet_path(run.folder, number, "_closest"), alternative):
                words = tag(
                    "span", f"samples above, the training pictures nearest to them below; task {number}", class_="unit"
                )
                return figure(image, join([tag("strong", method.name), words]), class_="pairs")
    return None
