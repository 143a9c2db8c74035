"""Synthetic pictures: how far they are from those that they stand in for, and how many were learnt from."""

from collections.abc import Mapping, Sequence
from typing import Any

from palimpsest.reports.gather import Gathered, Method, is_number
from palimpsest.reports.markup import ABSENT, Markup, Section, details, join, scroll, table, tag
from palimpsest.reports.numbers import amount, plain, with_error
from palimpsest.reports.results import Results

DISTANCES = ("FID", "KID", "seen as their class", "CLIP")


def synthetic(found: Gathered) -> Section | None:
    """A row a method that learnt from them, each class below, and what every classifier was trained on."""
    having = [method for method in found.measured if any(gap_of(results) for results in method.results)]
    seen = seen_table(
        [m for m in found.measured if any(task.seen.get("synthetic") for r in m.results for task in r.tasks)]
    )
    if not (having or seen):
        return None
    body = [seen, gap_table(having) if having else None, *map(by_class, having)]
    return Section("synthetic", "Synthetic pictures", tuple(body))


def gap_of(results: Results) -> Mapping[str, Any]:
    """What the last task's place says; empty where nothing was measured."""
    return results.tasks[-1].synthetic if results.tasks else {}


def first_gap(method: Method) -> Mapping[str, Any]:
    """That of the method's first run that has one: the pictures do not depend on the seed, but for those of a memory."""
    return next(gap for results in method.results if (gap := gap_of(results)))


def gap_table(methods: Sequence[Method]) -> Markup:
    heads = ("method", "source", "pictures", *DISTANCES)
    rows = ([m.name, first_gap(m)["source"], f"{first_gap(m)['count']}", *numbers(first_gap(m))] for m in methods)
    words = (
        "Distances of features between the synthetic pictures of all past classes and the real ones that samples are compared with; "
        "seen as their class: the share in which the evaluator sees the class that they carry; CLIP: mean cosine with real pictures "
        "of the same class, and that of real pictures among themselves, where evaluation.clip names a model."
    )
    return join([scroll(table(heads, rows), "gap"), tag("p", words, class_="note")])


def by_class(method: Method) -> Markup:
    """The same of each class."""
    gap, results = first_gap(method), method.results[0]
    rows = (
        [results.class_name(str(part["class"])), f"{part['count']}", *numbers(part)]
        for part in gap.get("per_class", ())
    )
    listed = table(("class", "pictures", *DISTANCES), rows)
    return details(f"{method.name}, class by class", scroll(listed, "gap by class"))


def numbers(gap: Mapping[str, Any]) -> list[str]:
    """FID, KID with its error, purity, and CLIP's cosines in words."""
    names = ("fid", "kid", "kid_se", "pure", "clip", "clip_real")
    there = {name: gap[name] for name in names if is_number(gap.get(name))}
    fid = plain(there["fid"]) if "fid" in there else ABSENT
    kid = with_error(there["kid"], there.get("kid_se")) if "kid" in there else ABSENT
    clip = f"{there['clip']:.3f} ({there['clip_real']:.3f})" if {"clip", "clip_real"} <= there.keys() else ABSENT
    return [fid, kid, f"{there['pure']:.1%}" if "pure" in there else ABSENT, clip]


def seen_table(methods: Sequence[Method]) -> Markup | None:
    """Optimizer steps, and rows of training data, of each method's first run: half the updates are half the training."""
    if not methods:
        return None
    rows = (
        [
            m.name,
            *(amount(sum(task.seen.get(n, 0) for task in m.results[0].tasks)) for n in ("steps", "real", "synthetic")),
        ]
        for m in methods
    )
    heads = ("method", "optimizer steps", "real pictures seen", "synthetic pictures seen")
    return scroll(table(heads, rows), "pictures seen")
