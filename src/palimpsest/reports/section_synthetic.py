"""Synthetic pictures: how far they are from those that they stand in for, and how many were learnt from."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from palimpsest.reports.comparison import Cell
from palimpsest.reports.gather import Gathered, Method, complete
from palimpsest.reports.markup import ABSENT, Markup, Section, details, figure, join, scroll, table, tag
from palimpsest.reports.numbers import amount, with_error
from palimpsest.reports.results import Results
from palimpsest.reports.sheets import picture

DISTANCES = ("FID", "KID", "seen as their class", "CLIP")


def synthetic(found: Gathered) -> Section | None:
    """A row a method that learnt from them, each class below, and what every classifier was trained on."""
    having = [method for method in found.measured if any(gap_of(results) for results in method.results)]
    seen = seen_table(
        [m for m in found.measured if any(task.seen.get("synthetic") for r in m.results for task in r.tasks)]
    )
    if not (having or seen):
        return None
    body = [seen, gap_table(having) if having else None, *map(sheet, found.measured), *map(by_class, having)]
    return Section("synthetic", "Synthetic pictures", tuple(body))


def sheet(method: Method) -> Markup | None:
    """Some of what the method's first run learnt from, where it lies there."""
    said = f"Synthetic pictures of {method.name}, a row a class, by the label that they carry, in the order of their numbers"
    images = (picture(run.folder / "samples" / "synthetic.png", said) for run in method.runs)
    image = next((image for image in images if image), None)
    return figure(scroll(image, said), f"{said}.") if image else None


def gap_of(results: Results) -> Mapping[str, Any]:
    """What the last task's place says; empty where nothing was measured."""
    return results.tasks[-1].synthetic if results.tasks else {}


def gaps_of(method: Method) -> list[Mapping[str, Any]]:
    """Those of the method's runs that have one. Which classes are past depends on the seed where their order does."""
    return [gap for results in method.results if (gap := gap_of(results))]


def gap_table(methods: Sequence[Method]) -> Markup:
    heads = ("method", "source", "runs", "pictures", *DISTANCES)
    rows = ([m.name, gaps_of(m)[0]["source"], *numbers(gaps_of(m))] for m in methods)
    words = (
        "Distances of features between the synthetic pictures of all past classes and the real ones that samples are compared with, "
        "mean ± standard error over runs (KID's own where that is larger, for runs may share their pictures); seen as their class: the share in which the evaluator sees the "
        "class that they carry; CLIP: mean cosine with real pictures of the same class, and that of real pictures among themselves, "
        "where evaluation.clip names a model. There is no FID of fewer pictures than features, which make it too large. KID has the scale of its features "
        "cubed, so that only rows of one evaluator compare; sets with equally many pictures of each class, as real ones that were held "
        "back, lie a little below 0."
    )
    return join([scroll(table(heads, rows), "gap"), tag("p", words, class_="note")])


def by_class(method: Method) -> Markup:
    """The same of each class, over the runs in which it was past."""
    parts: dict[int, list[Mapping[str, Any]]] = {}
    for gap in gaps_of(method):
        for part in gap.get("per_class", ()):
            parts.setdefault(part["class"], []).append(part)
    name = method.results[0].class_name
    rows = ([name(str(number)), *numbers(parts[number])] for number in sorted(parts))
    listed = table(("class", "runs", "pictures", *DISTANCES), rows)
    return details(f"{method.name}, class by class", scroll(listed, "gap by class"))


def numbers(gaps: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many runs and pictures, FID, KID, purity, and CLIP's cosines in words; absent where a run lacks them."""
    names = ("count", "fid", "kid", "kid_se", "pure", "clip", "clip_real")
    there = {name: found for name in names if (found := complete(gap.get(name) for gap in gaps))}

    def said(name: str, error: str = "") -> str:
        errors = there[name].error, there[error].mean if error in there else None
        return with_error(there[name].mean, max((each for each in errors if each), default=None))

    clip = {"clip", "clip_real"} <= there.keys()
    return [
        f"{len(gaps)}",
        f"{there['count'].mean:.0f}" if "count" in there else ABSENT,
        said("fid") if "fid" in there else ABSENT,
        said("kid", "kid_se") if "kid" in there else ABSENT,
        share(there["pure"]) if "pure" in there else ABSENT,
        f"{there['clip'].mean:.3f} ({there['clip_real'].mean:.3f})" if clip else ABSENT,
    ]


def share(cell: Cell) -> str:
    """Such as "92.5% ± 1.2%"."""
    return f"{cell.mean:.1%}" + ("" if cell.error is None else f" ± {cell.error:.1%}")


def seen_table(methods: Sequence[Method]) -> Markup | None:
    """Optimizer steps, and rows of training data, means over runs: half the updates are half the training."""
    if not methods:
        return None
    rows = (
        [
            m.name,
            *(
                amount(fmean(sum(task.seen.get(n, 0) for task in r.tasks) for r in m.results))
                for n in ("steps", "real", "synthetic")
            ),
        ]
        for m in methods
    )
    heads = ("method", "optimizer steps", "real pictures seen", "synthetic pictures seen")
    return scroll(table(heads, rows), "pictures seen")
