"""Measures of generation: samples and real pictures of the classes seen in, numbers out."""

from collections.abc import Callable, Sequence

from palimpsest.evaluation.described import Described
from palimpsest.evaluation.fid import expected_bias, frechet_distance
from palimpsest.evaluation.frequencies import counts, kld, total_variation
from palimpsest.evaluation.kid import kernel_distance
from palimpsest.evaluation.neighbours import prdc

K = 5  # neighbours of precision, recall, density and coverage
LEAST = K + 1  # samples and real pictures, below which not everything can be measured
NOTABLE_BIAS = 0.1  # share of a Fréchet distance that is worth a warning

Numbers = dict[str, float]


def measure_generation(made: Described, real: Described, classes: int) -> tuple[Numbers, list[str]]:
    """The measures of a generator's samples by name, and sentences to be shown beside them.

    made: samples.  real: pictures of the classes seen so far, all of them equally wanted.  classes: how many the whole
    stream has, those not seen yet included. Too few of either for a measure: it is absent, never 0.
    """
    if min(len(made), len(real)) < LEAST:
        return {}, [
            f"no measures: they take {LEAST} samples and real pictures, and there are {len(made)} and {len(real)}"
        ]
    measured = {}
    for measure in MEASURES:
        measured |= measure(made, real, classes)
    return measured, [*warn_of_rank(made, real), *warn_of_bias(made, real, measured["fid"])]


def frechet(made: Described, real: Described, classes: int) -> Numbers:
    """fid, the Fréchet distance between features; see `fid.frechet_distance`.

    Unit: squared feature distance.  Direction: lower.  Reference: the pictures given, of the classes seen.
    Sample count: all samples; biased upwards by about 1/count, see `fid.expected_bias`.
    """
    return {"fid": frechet_distance(made.statistics, real.statistics)}


def kernel(made: Described, real: Described, classes: int) -> Numbers:
    """kid, the kernel distance between features, and kid_se, its standard error; see `kid.kernel_distance`.

    Unit: squared MMD.  Direction: lower.  Reference: the pictures given.  Sample count: all; unbiased.
    """
    return dict(zip(("kid", "kid_se"), kernel_distance(made.features, real.features), strict=True))


def neighbours(made: Described, real: Described, classes: int) -> Numbers:
    """precision, recall, density, coverage with five neighbours; see `neighbours.prdc`.

    Unit: shares.  Direction: higher.  Reference: the pictures given.  Sample count: all; they depend on it.
    """
    return prdc(real.features, made.features, K)


def frequencies(made: Described, real: Described, classes: int) -> Numbers:
    """kld and total_variation of class frequencies over all classes of the stream; see `frequencies`.

    Unit: nats; share of samples.  Direction: lower.  Reference: the true labels of the pictures given.
    Sample count: all samples.
    """
    true, generated = counts(real.labels, classes), counts(made.labels, classes)
    return {"kld": kld(true, generated), "total_variation": total_variation(true, generated)}


MEASURES: tuple[Callable[[Described, Described, int], Numbers], ...] = (frechet, kernel, neighbours, frequencies)


def measure_groups(made: Described, real: Described, groups: Sequence[Sequence[int]]) -> list[Numbers]:
    """For each group of classes (a task, or one class): fid of the samples that the evaluator puts there against the
    real pictures there, the frequency of such samples, and the frequency that is due.

    A Fréchet distance from too few pictures for the feature width is absent.
    """
    return [of_group(made, real, made.of_classes(group), real.of_classes(group)) for group in groups]


def of_group(made: Described, real: Described, made_there: Described, real_there: Described) -> Numbers:
    """The numbers of one group, from all samples and pictures and from those in it."""
    enough = min(len(made_there), len(real_there)) > made.width
    fid = {"fid": frechet_distance(made_there.statistics, real_there.statistics)} if enough else {}
    return fid | {"frequency": len(made_there) / len(made), "due": len(real_there) / len(real)}


def warn_of_rank(made: Described, real: Described) -> list[str]:
    """A sentence for each set that is too small for FID's covariance to have full rank."""
    return [
        f"fid is far too high: {len(those)} {whose} cannot fill a covariance of {those.width} features; "
        f"use at least {those.width + 1}, better {20 * those.width}, or read kid"
        for whose, those in (("samples", made), ("reference pictures", real))
        if those.statistics.deficient
    ]


def warn_of_bias(made: Described, real: Described, fid: float) -> list[str]:
    """A sentence where a good part of the Fréchet distance is expected of any sample as small as this."""
    bias = expected_bias(len(made), len(real), real.statistics.covariance)
    if real.statistics.deficient or made.statistics.deficient or bias < NOTABLE_BIAS * fid:
        return []
    return [
        f"of the fid of {fid:.3g}, about {bias:.3g} is what {len(made)} samples and {len(real)} reference pictures of one "
        "distribution would give; take more, or read kid, which has no such bias"
    ]
