"""Targets about neighbours: what the labelled pictures that lie nearest in the features say of a picture's class.

NNCSL (Kang et al. 2023, "A soft nearest-neighbor framework for continual semi-supervised learning"), after PAWS (arXiv 2104.13963).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, class_numbers
from palimpsest.core.term import SUPPORTED

LEAST = 1e-8  # of a probability whose logarithm is taken


def soft_neighbours(queries: Tensor, support: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """p(q) = softmax(cos(q, S) / τ) Y: probabilities (N, C) of queries (N, D) from support (M, D) with labels (M, C)."""
    with torch.autocast(queries.device.type, enabled=False):  # an error of a cosine counts 1/τ times
        queries, support = (functional.normalize(each.float(), dim=1) for each in (queries, support))
        return (queries @ support.T / temperature).softmax(1) @ labels


def smoothed(y: Tensor, classes: tuple[int, ...], smoothing: float) -> Tensor:
    """Labels (M, C) of class numbers int64 (M,), which are among `classes`, each giving a share to all of them."""
    return (y[:, None] == class_numbers(classes, y.device)).float() * (1 - smoothing) + smoothing / len(classes)


def sharpened(p: Tensor, temperature: float) -> Tensor:
    """p^(1/T), brought back to a sum of 1."""
    return (p.clamp(min=LEAST).log() / temperature).softmax(1)


def check(temperature: float, smoothing: float, **above: float) -> None:
    """Refuse numbers that are out of range; `above` are those that have to lie above 0, too."""
    for name, value in {"temperature": temperature, **above}.items():
        if not 0 < value < float("inf"):
            raise RequestError(f"{name} of neighbours is {value:g}, and it is a number above 0.")
    if not 0 <= smoothing <= 1:
        raise RequestError(f"smoothing of labels is {smoothing:g}, and it goes from 0 to 1.")


def cut(features: Tensor, question: Images) -> tuple[Tensor, Tensor, Tensor]:
    """Features of one view, of the other, and of the support."""
    count = (len(features) - len(question.y)) // 2
    return features[:count], features[count : 2 * count], features[2 * count :]


@dataclass(frozen=True)
class Neighbours:
    """Both views of a picture have one class, and all classes are as frequent: the loss of PAWS on soft neighbours.

    ½ [H(sharp p₂, p₁) + H(sharp p₁, p₂)] − m H(mean of sharp p)

    classes: of the support.  temperature: τ.  sharpening: T.  me_max: m.  smoothing: of the support's labels.
    """

    classes: tuple[int, ...]
    temperature: float = 0.1
    sharpening: float = 0.25
    me_max: float = 1.0
    smoothing: float = 0.1
    name: ClassVar[str] = "neighbours"
    head: ClassVar[str] = "features"
    needs: ClassVar[frozenset[str]] = frozenset({SUPPORTED})
    exists: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self.temperature, self.smoothing, sharpening=self.sharpening)
        if not 0 <= self.me_max < float("inf"):
            raise RequestError(f"me_max is {self.me_max:g}, and it is a number from 0.")

    def answer(self, question: Images) -> Tensor:
        """The labels of the support, (M, C)."""
        return smoothed(question.y, self.classes, self.smoothing)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        """(N,), the same share of the classes' entropy in each."""
        first, second, support = cut(said, question)
        p = [soft_neighbours(view, support, wanted, self.temperature).clamp(min=LEAST) for view in (first, second)]
        sharp = [sharpened(each, self.sharpening) for each in p]
        crossed = [-(sharp[1 - n].detach() * p[n].log()).sum(1) for n in (0, 1)]
        mean = torch.cat(sharp).mean(0).clamp(min=LEAST)
        return (crossed[0] + crossed[1]) / 2 + self.me_max * (mean * mean.log()).sum()


@dataclass(frozen=True)
class TaughtNeighbours:
    """What the support says of a picture in a frozen classifier's features: H(p_teacher, p_θ), both views alike.

    teacher: None before there is one.  The other fields as in `Neighbours`.
    """

    teacher: nn.Module | None
    classes: tuple[int, ...]
    temperature: float = 0.1
    smoothing: float = 0.1
    name: str = "teacher.neighbours"
    head: ClassVar[str] = "features"
    needs: ClassVar[frozenset[str]] = frozenset({SUPPORTED})

    def __post_init__(self) -> None:
        check(self.temperature, self.smoothing)

    @property
    def exists(self) -> bool:
        return self.teacher is not None

    def answer(self, question: Images) -> Tensor:
        """The teacher's features of all that is asked about."""
        return self.teacher.features(question.x)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        labels = smoothed(question.y, self.classes, self.smoothing)
        parts = []
        (*ours, our_support), (*theirs, their_support) = cut(said, question), cut(wanted, question)
        for mine, his in zip(ours, theirs, strict=True):
            p = soft_neighbours(his, their_support, labels, self.temperature)
            q = soft_neighbours(mine, our_support, labels, self.temperature)
            parts.append(-(p * q.clamp(min=LEAST).log()).sum(1))
        return (parts[0] + parts[1]) / 2
