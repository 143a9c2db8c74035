"""What the measures know of a set of pictures: features, labels, and the statistics of these."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from palimpsest.evaluation.evaluator import Evaluator
from palimpsest.evaluation.extractors import Extractor
from palimpsest.evaluation.feature_cache import features_of
from palimpsest.evaluation.fid import Statistics, statistics
from palimpsest.evaluation.pictures import Pictures


@dataclass(frozen=True)
class Described:
    """A set of pictures as the measures see it.

    features: float32 (N, D).  labels: int64 (N,), the true ones of real pictures, the evaluator's of samples.
    """

    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """D, numbers a picture."""
        return self.features.shape[1]

    @cached_property
    def statistics(self) -> Statistics:
        """Mean and covariance of the features."""
        return statistics(self.features)

    def of_classes(self, classes: Sequence[int]) -> "Described":
        """The pictures that carry these labels."""
        rows = torch.isin(self.labels, torch.tensor(list(classes), dtype=torch.int64))
        return Described(self.features[rows], self.labels[rows])


def describe_reference(pictures: Pictures, extractor: Extractor) -> Described:
    """Real pictures with their true labels; their features come from the cache where it has them."""
    return Described(features_of(pictures, extractor), pictures.labels.cpu())


def together(parts: Sequence[Described]) -> Described:
    """Several sets as one."""
    return Described(torch.cat([part.features for part in parts]), torch.cat([part.labels for part in parts]))


def describe_samples(samples: Tensor, evaluator: Evaluator, extractor: Extractor) -> Described:
    """Samples (N, C, H, W) with the classes that the evaluator sees in them."""
    if extractor.sha256 == evaluator.sha256:
        return Described(*evaluator.answer(samples))
    return Described(extractor.features(samples), evaluator.labels(samples))
