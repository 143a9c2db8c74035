"""What one must know to trust the page: what is missing, warnings, measures, settings, environment."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from palimpsest.evaluation.catalog import LONG, MEASURES, Measure
from palimpsest.reports.gather import Gathered, Run, is_number
from palimpsest.reports.markup import Content, Markup, Section, details, join, scroll, table, tag, title


def missing(found: Gathered, absent: Sequence[str]) -> Section | None:
    """What is damaged, unfinished, or was not measured."""
    said = [f"{run.name}: {run.problem}" for run in found.runs if run.problem]
    said += [
        f"{method.name}, seed {method.row.seeds[0]}, is unfinished ({method.row.progress}); its numbers are those after "
        "its last finished task, and `palimpsest resume` goes on with it."
        for method in found.measured
        if not method.finished
    ]
    if absent:
        said.append(f"Not in these runs: {', '.join(absent)}.")
    return Section("missing", "What is missing", (notes(said),)) if said else None


def warnings(found: Gathered) -> Section | None:
    """What the runs warned of, each sentence once with the runs that said it."""
    said: dict[str, list[str]] = {}
    for run in found.runs:
        for event in run.said("warning"):
            names = said.setdefault(str(event.get("text", "")), [])
            names += [run.name] if run.name not in names else []
    items = [join([text, tag("span", "; ".join(names), class_="unit")]) for text, names in said.items()]
    return Section("warnings", "Warnings", (notes(items),)) if items else None


def notes(items: Sequence[Content]) -> Markup:
    return tag("ul", *(tag("li", item) for item in items), class_="warnings")


def measures(found: Gathered) -> Section | None:
    """Every measure of the table: unit, direction, definition, and what the numbers were made from."""
    if not found.table:
        return None
    names = [name for name in MEASURES if {name, name + LONG} & set(found.table.measures)]
    more = [field.name for field in fields(Measure) if field.name not in ("name", "unit", "better", "description")]
    rows = (defined(MEASURES[name], more) for name in names)
    listed = table(("measure", "unit", "better", "what it is", *(each.replace("_", " ") for each in more)), rows)
    made = tag("ul", *(tag("li", text) for text in made_from(found)))
    return Section("measures", "The measures", (made, scroll(tag("div", listed, class_="prose"), "the measures")))


def defined(entry: Measure, more: Sequence[str]) -> tuple[Content, ...]:
    texts = (str(getattr(entry, each)) for each in more)
    return (
        title(entry.name),
        entry.unit,
        f"{entry.arrow} {entry.better}".strip() or "an error",
        entry.description,
        *texts,
    )


def made_from(found: Gathered) -> Iterator[str]:
    """Extractor, evaluator, samplers and counts, each once where the runs agree."""
    results = [each for method in found.measured for each in method.results]
    yield from once("Features by", (each.extractor_in_words for each in results))
    yield from once("Labels by", (network(each.evaluator) for each in results))
    sampled = [each for each in results if each.counts.get("samples")]
    yield from once("Own sampler:", (each.samplers.get("own", "") for each in sampled))
    yield from once("Long sampler, after the last task:", (each.samplers.get("long", "") for each in sampled))
    yield from once("Samples:", (str(each.counts["samples"]) for each in sampled))
    yield from once(
        "Real pictures they are compared with, after each task:",
        (", ".join(map(str, each.counts.get("reference") or ())) for each in sampled if each.finished),
    )


def once(about: str, texts: Iterator[str]) -> Iterator[str]:
    found = list(dict.fromkeys(text for text in texts if text))
    if found:
        yield f"{about} {' or '.join(found)}."


def network(about: Any) -> str:
    accuracy = about.get("accuracy")
    return str(about.get("name", "")) + (f" (accuracy {accuracy:.1%})" if is_number(accuracy) else "")


def remembered(found: Gathered) -> Section | None:
    """What each method may keep of the past."""
    if not found.measured:
        return None
    beside = any(results.classifier_remembers for method in found.measured for results in method.results)
    headings = ("method", "the generator" if beside else "the learner", *(["the classifier beside it"] if beside else []))
    rows = []
    for method in found.measured:
        kept = [method.row.allowed_to_remember, method.results[0].classifier_remembers or "nothing"]
        rows.append([method.name, *(tag("td", text, class_="words") for text in kept[: len(headings) - 1])])
    return Section("remembered", "Allowed to remember", (scroll(table(headings, rows), "allowed to remember"),))


def settings(found: Gathered) -> Section | None:
    """config.toml of every run, folded away."""
    parts = [
        details(summary(run), scroll(tag("pre", run.config), f"config.toml of {run.name}"))
        for run in found.runs
        if run.config
    ]
    return Section("settings", "Configuration", tuple(parts)) if parts else None


def summary(run: Run) -> Markup:
    return join([run.name, " ", tag("code", str(run.folder))])


def environment(found: Gathered) -> Section | None:
    """Where the runs ran; runs with the same environment share a table."""
    groups: dict[str, tuple[list[str], Markup]] = {}
    for run in found.runs:
        shown = {key: value for key, value in flat(run.environment) if key != "command"}
        if shown:
            key = repr(sorted(shown.items()))
            rows = ((name, tag("td", value, class_="words")) for name, value in shown.items())
            groups.setdefault(key, ([], table(("what", "found"), rows)))[0].append(run.name)
    parts = [details("; ".join(names), scroll(listed, "environment")) for names, listed in groups.values()]
    return Section("environment", "Environment", tuple(parts)) if parts else None


def flat(environment: Any) -> Iterator[tuple[str, str]]:
    for key, value in environment.items():
        if isinstance(value, dict):
            yield from ((str(name), str(each)) for name, each in value.items())
        else:
            yield str(key), str(value)
