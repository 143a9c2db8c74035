"""Measures of generation: samples in, numbers out."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from palimpsest.evaluation.evaluator import Evaluator
from palimpsest.evaluation.fid import Statistics, frechet_distance, statistics
from palimpsest.evaluation.frequencies import counts, kld, total_variation
from palimpsest.evaluation.pictures import Pictures, digest, in_parts


@dataclass(frozen=True)
class Described:
    """What the measures know of a set of pictures: features float32 (N, D), labels int64 (N,), their statistics.

    The labels are the true ones for a reference set, and the evaluator's for samples.
    """

    features: Tensor
    labels: Tensor
    statistics: Statistics


@dataclass(frozen=True)
class References:
    """The reference sets described so far, by content and extractor: a set is read once per process."""

    limit: int = 16
    described: OrderedDict[tuple[str, str], Described] = field(default_factory=OrderedDict)

    def describe(self, pictures: Pictures, evaluator: Evaluator) -> Described:
        """What is known of a reference set, from memory where it has been described before."""
        key = digest(pictures), evaluator.sha256
        if key not in self.described:
            self.described[key] = describe_reference(pictures, evaluator)
        self.described.move_to_end(key)
        while len(self.described) > self.limit:
            self.described.popitem(last=False)
        return self.described[key]


def describe_reference(pictures: Pictures, evaluator: Evaluator) -> Described:
    """Real pictures with their true labels, read in parts, so that a memory-mapped set need not fit in memory."""
    features, labels = [], []
    for rows in in_parts(pictures):
        x, y = pictures.take(rows)
        features.append(evaluator.features(x))
        labels.append(y.cpu())
    return Described(torch.cat(features), torch.cat(labels), statistics(torch.cat(features)))


def describe_samples(samples: Tensor, evaluator: Evaluator) -> Described:
    """Samples with the classes that the evaluator sees in them."""
    features, labels = evaluator.answer(samples)
    return Described(features, labels, statistics(features))


def measure_generation(
    samples: Tensor, reference: Pictures, evaluator: Evaluator, classes: int, references: References | None = None
) -> tuple[dict[str, float], list[str]]:
    """The measures of a generator's samples, by name, and warnings to be shown beside them.

    samples: float (N, C, H, W) in [-1, 1].  reference: real pictures of the classes seen so far, all of them equally
    wanted.  classes: how many the whole stream has, those not seen yet included.  references: remembers references.
    Samples that are not finite numbers give no measures and a warning: absent, never 0.
    """
    broken = int((~samples.isfinite().flatten(1).all(dim=1)).sum())
    if broken or not len(samples):
        return {}, [f"no measures: {broken} of {len(samples)} samples hold NaN or infinite pixels"]
    real = (references or References()).describe(reference, evaluator)
    made = describe_samples(samples, evaluator)
    return {name: measure(made, real, classes) for name, measure in MEASURES.items()}, warn_of_rank(made, real)


def fid(made: Described, real: Described, classes: int) -> float:
    """Fréchet distance between features of samples and of the reference; see `fid.frechet_distance`.

    Unit: squared feature distance.  Direction: lower.  Reference: the pictures given, of the classes seen.
    Sample count: all samples; biased upwards by about 1/count.
    """
    return frechet_distance(made.statistics, real.statistics)


def kld_of_classes(made: Described, real: Described, classes: int) -> float:
    """KL(true ‖ generated) of class frequencies over all classes of the stream; see `frequencies.kld`.

    Unit: nats.  Direction: lower.  Reference: the true labels of the pictures given.  Sample count: all samples.
    """
    return kld(counts(real.labels, classes), counts(made.labels, classes))


def total_variation_of_classes(made: Described, real: Described, classes: int) -> float:
    """Total variation of class frequencies; see `frequencies.total_variation`.

    Unit: share of samples.  Direction: lower.  Reference: the true labels of the pictures given.  Sample count: all.
    """
    return total_variation(counts(real.labels, classes), counts(made.labels, classes))


def warn_of_rank(made: Described, real: Described) -> list[str]:
    """A sentence for each set that is too small for FID's covariance to have full rank."""
    return [
        f"fid is far too high: {those.statistics.count} {whose} cannot fill a covariance of {width} features; "
        f"use at least {width + 1}, better {20 * width}"
        for whose, those in (("samples", made), ("reference pictures", real))
        if those.statistics.deficient and (width := len(those.statistics.mean))
    ]


MEASURES: dict[str, Callable[[Described, Described, int], float]] = {
    "fid": fid,
    "kld": kld_of_classes,
    "total_variation": total_variation_of_classes,
}
