"""What each measure is, in words. Read by `palimpsest list measures` and by the tables; imports no torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

LONG = "_long"  # a measure of generation, taken again under the long sampler


@dataclass(frozen=True)
class Measure:
    """One number of a run: its name in results.json, its unit, which way is better, and what it says."""

    name: str
    unit: str
    better: Literal["lower", "higher"]
    description: str

    @property
    def direction(self) -> str:
        return f"{self.better} is better"

    @property
    def arrow(self) -> str:
        return "↓" if self.better == "lower" else "↑"


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "fid",
            "squared feature distance",
            "lower",
            "Fréchet distance between the extractor's features of samples and of real pictures of the classes seen.",
        ),
        Measure(
            "kld",
            "nats",
            "lower",
            "KL divergence of the samples' class frequencies (by the evaluator) from those of the classes seen.",
        ),
        Measure(
            "total_variation",
            "share of samples",
            "lower",
            "Share of the samples that would have to change class for the class frequencies to be right.",
        ),
    )
}


def find(name: str) -> Measure | None:
    """The entry that describes `name`, also under the long sampler ("fid_long"); None for a measure not listed."""
    return MEASURES.get(name.removesuffix(LONG))


def in_order(names: Iterable[str]) -> list[str]:
    """Names as the tables show them: in the catalog's order, the long sampler's after all others, unlisted ones last."""
    places = {name: place for place, name in enumerate(MEASURES)}

    def key(name: str) -> tuple[bool, bool, int, str]:
        plain = name.removesuffix(LONG)
        return plain not in places, name != plain, places.get(plain, 0), name

    return sorted(set(names), key=key)
