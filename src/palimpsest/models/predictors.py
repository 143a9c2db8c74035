"""Other ways to say which class a picture shows, with the features of a classifier."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.core.modes import evaluating
from palimpsest.models.classifier import Classifier

FILE = "nearest_mean.safetensors"


class Readable(Protocol):
    """What is asked of a labelled set of pictures."""

    labels: Tensor

    def __len__(self) -> int: ...

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]: ...


class NearestMean(nn.Module):
    """Predicts the class whose remembered pictures lie nearest in the mean (Rebuffi et al. 2017, iCaRL, algorithm 1).

    classifier: whose features are compared.  means: of each class, of length 1, float (classes, D); 0 where it has none.
    """

    head = "logits"
    heads = ("logits",)
    predicts = "nearest_mean"

    def __init__(self, classifier: Classifier, means: Tensor) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("means", means)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of its pictures."""
        return self.classifier.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all the stream's classes."""
        return self.classifier.classes

    @property
    def passes(self) -> int:
        """Those of the classifier."""
        return self.classifier.passes

    @passes.setter
    def passes(self, count: int) -> None:
        self.classifier.passes = count

    def logits(self, x: Tensor) -> Tensor:
        """−‖φ(x)/‖φ(x)‖ − μ_c‖², float32 (B, classes), of pictures (B, C, H, W); −∞ for a class without a mean."""
        return self.judge(self.classifier.features(x))

    def judge(self, features: Tensor) -> Tensor:
        """The same of what the classifier sees in pictures, (B, D)."""
        seen = functional.normalize(features, dim=1)
        distances = torch.cdist(seen, self.means).square()
        return (-distances).masked_fill(~self.means.any(dim=1), -torch.inf)

    def forward(self, questions: Mapping[str, Images]) -> dict[str, Tensor]:
        """The answers by head."""
        return {head: self.logits(question.x) for head, question in questions.items()}


@torch.no_grad()
def directions(classifier: Classifier, pictures: Readable, mirrored: bool = False) -> Tensor:
    """Features of length 1, float (N, D), of all pictures, in evaluation mode and without augmentation.

    mirrored: the mean of those of a picture and of its mirror image, not of length 1, as iCaRL's code has it.
    """
    found = []
    with evaluating(classifier):
        for rows in torch.arange(len(pictures)).split(500):
            x = pictures.take(rows)[0]
            seen = functional.normalize(classifier.features(x), dim=1)
            if mirrored:
                seen = (seen + functional.normalize(classifier.features(x.flip(-1)), dim=1)) / 2
            found.append(seen)
    return torch.cat(found)


def class_means(seen: Tensor, labels: Tensor, classes: Sequence[int]) -> Tensor:
    """The mean of the rows of each of these classes, (their number, D), not of length 1."""
    return torch.stack([seen[labels == number].mean(0) for number in classes])


def nearest_mean(classifier: Classifier, remembered: Readable, mirrored: bool = False) -> NearestMean:
    """A predictor by the means of the remembered pictures, in the features of the classifier as it is now."""
    seen = directions(classifier, remembered, mirrored)
    there = remembered.labels.unique().tolist()
    means = seen.new_zeros(len(classifier.classes), seen.shape[1])
    means[there] = functional.normalize(class_means(seen, remembered.labels, there), dim=1)
    return NearestMean(classifier, means)


def save_means(predictor: NearestMean, own: bool, folder: Path) -> None:
    """Write the means. own: they are what the strategy predicts by."""
    save_file({"means": predictor.means.contiguous(), "own": torch.tensor(own)}, folder / FILE)


def open_means(classifier: Classifier, folder: Path) -> tuple[NearestMean | None, bool]:
    """The predictor that `save_means` wrote beside a classifier, and whether it is the strategy's own; None where there is none."""
    if not (folder / FILE).exists():
        return None, False
    try:
        found = load_file(folder / FILE)
        return NearestMean(classifier, found["means"]).eval(), bool(found["own"])
    except (OSError, KeyError, SafetensorError) as error:
        raise RequestError(f"{folder / FILE} cannot be read: {str(error).splitlines()[0]}.") from error
