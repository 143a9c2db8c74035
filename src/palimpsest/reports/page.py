"""The report: run directories as one HTML page that needs no network, no server and no script."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.core.files import check_place, make_place, write_atomically
from palimpsest.core.words import counted
from palimpsest.reports import section_about as about
from palimpsest.reports.gather import Gathered, gather
from palimpsest.reports.markup import Markup, Section, join, tag
from palimpsest.reports.section_cost import cost
from palimpsest.reports.section_kept import kept
from palimpsest.reports.section_matrices import denoising, matrices
from palimpsest.reports.section_replay import replay
from palimpsest.reports.section_results import best_numbers, curves, result_table
from palimpsest.reports.section_samples import memorisation, samples
from palimpsest.reports.section_synthetic import synthetic
from palimpsest.reports.section_training import losses

FILE = "report.html"
MEASURED = {
    "results": result_table,
    "what was kept": kept,
    "curves": curves,
    "sample sheets": samples,
    "numbers by task": matrices,
    "denoising error": denoising,
    "replay": replay,
    "synthetic pictures": synthetic,
    "memorisation": memorisation,
    "losses": losses,
    "cost": cost,
}
IF_ANY = {"synthetic pictures", "what was kept"}  # not missed where there are none
OF_SAMPLES = {"sample sheets", "denoising error", "replay", "memorisation"}  # not missed where no samples are to be measured
OF_TASKS = {"curves", "numbers by task"}  # not missed of one task
ABOUT = (about.warnings, about.remembered, about.measures, about.settings, about.environment)


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    said: Sequence[str] = (),
    force: bool = False,
) -> Path:
    """Write one page about one or several run directories, and give back where it lies.

    out: RUN/report.html of one of the runs is written again; any other file that exists is refused unless `force`.
    defaults: the options of each strategy that need not be shown, as `compare` takes them.
    said: notes that stand first below the table. A damaged or unfinished run
    is reported as far as it goes. Raises RequestError for places that are no run directories, for runs that must not
    stand in one table, and for an `out` that is taken.
    """
    runs, out = [Path(run) for run in runs], Path(out)
    if not runs:
        raise RequestError("there is nothing to report; give at least one run directory.")
    refuse_taken(out, runs, force)
    found = gather(runs, defaults, said)
    make_place(out.parent)
    content = html(found).encode("utf-8")
    write_atomically(out, content)
    return out


def refuse_taken(out: Path, runs: Sequence[Path], force: bool) -> None:
    check_place(out)
    if out.is_dir():
        raise RequestError(f'"{out}" is a folder; give the name of a file, such as "{out / FILE}".')
    if out.exists() and not force and out.resolve() not in {(run / FILE).resolve() for run in runs}:
        raise RequestError(f'"{out}" exists already; give another name, or --force to replace it.')


def html(found: Gathered) -> str:
    """The whole page as text."""
    measured = {name: make(found) for name, make in MEASURED.items()}
    sampled = not found.measured or any(results.counts.get("samples", 1) for method in found.measured for results in method.results)
    several = any(len(results.tasks) > 1 for method in found.measured for results in method.results)
    optional = IF_ANY | (set() if sampled else OF_SAMPLES) | (set() if several else OF_TASKS)
    absent = [name for name, section in measured.items() if section is None and name not in optional]
    sections = [about.missing(found, absent), *measured.values(), *(make(found) for make in ABOUT)]
    page = document(found, [section for section in sections if section])
    return f"<!doctype html>\n{page.text}\n"


def document(found: Gathered, sections: Sequence[Section]) -> Markup:
    style = Markup((files("palimpsest.reports") / "page.css").read_text(encoding="utf-8"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{heading(found)} · palimpsest"),
        tag("style", style),
    )
    body = tag(
        "body",
        tag("a", "Skip to the results", href="#content", class_="skip"),
        tag("header", tag("p", "palimpsest", class_="brand"), tag("h1", heading(found)), tag("p", subtitle(found))),
        contents(sections),
        tag("main", best_numbers(found), *map(written, sections), id="content"),
    )
    return tag("html", head, body, lang="en")


def heading(found: Gathered) -> str:
    """One run by its strategy and seed; several by their experiments."""
    if len(found.runs) == 1:
        return found.runs[0].name
    experiments = dict.fromkeys(results.experiment for method in found.measured for results in method.results)
    return ", ".join(experiments) or "runs"


def subtitle(found: Gathered) -> str:
    tasks = max((len(results.tasks) for method in found.measured for results in method.results), default=0)
    strategies = {results.strategy for method in found.measured for results in method.results}
    parts = [counted(len(found.runs), "run"), counted(tasks, "task")]
    if len(found.runs) == 1 and found.measured:
        return f"{found.measured[0].results[0].experiment}, {parts[1]}"
    return ", ".join([f"{len(strategies)} strategies" if len(strategies) != 1 else "1 strategy", *parts])


def contents(sections: Sequence[Section]) -> Markup:
    links = (tag("li", tag("a", section.heading, href=f"#{section.id}")) for section in sections)
    return tag("nav", tag("ul", *links), aria_label="Contents")


def written(section: Section) -> Markup:
    return tag("section", tag("h2", section.heading, id=f"{section.id}-heading"), join(section.body), id=section.id,
               aria_labelledby=f"{section.id}-heading")  # fmt: skip
