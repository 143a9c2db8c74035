"""Which measures are shown first, on a terminal and on the page; imports no torch."""

from collections.abc import Container, Iterable

from palimpsest.evaluation.catalog import LONG, MEASURES, in_order

GENERATION = ("fid", "precision", "recall", "kld", "memorisation", "coverage_old", "density_old")
TERMINAL = (*GENERATION, "accuracy", "forgetting")  # what it has room for
PAGE = ("fid", "kld", "accuracy")
ALONE = ("average_incremental_accuracy", "accuracy_nearest_mean", "base_forgetting")  # and where nothing is generated


def headlines(names: Iterable[str]) -> list[str]:
    """Those of the names that a terminal shows, in order: the headlines, and what the catalog does not know."""
    plain = {name: name.removesuffix(LONG) for name in in_order(names)}
    shown = with_alone(TERMINAL, plain)
    return [name for name, known in plain.items() if known in shown or known not in MEASURES]


def first_on_page(names: Iterable[str]) -> list[str]:
    """Those of the names that the page shows first, in order, but for those under the long sampler."""
    names = in_order(names)
    return [name for name in names if name in with_alone(PAGE, names)]


def with_alone(shown: tuple[str, ...], names: Container[str]) -> tuple[str, ...]:
    """What is shown of these names, which are of classifiers alone where no FID is among them."""
    return shown if "fid" in names else shown + ALONE
