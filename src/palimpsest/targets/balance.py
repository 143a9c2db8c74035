"""Targets of classifiers that grow by backbones: classes weighed by how many pictures they have, and what the newest sees."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.core.term import IMAGES, LABELS
from palimpsest.models.classifier import only, outside


@dataclass(frozen=True)
class Balance:
    """What classes weigh by the effective number of their pictures: (1 − β) / (1 − β^n), with a mean of 1 (Wang et al. 2022, FOSTER).

    counts: (class, n) of each that has pictures. Others weigh 1.
    beta: β from 0 (all alike) to less than 1.
    """

    counts: tuple[tuple[int, int], ...]
    beta: float

    def __post_init__(self) -> None:
        if not 0 <= self.beta < 1:
            raise RequestError(f"the β of class weights is {self.beta:g}, and it goes from 0 to less than 1.")

    @property
    def weights(self) -> dict[int, float]:
        """By class."""
        plain = {number: (1 - self.beta) / (1 - self.beta**count) for number, count in self.counts if count}
        mean = sum(plain.values()) / max(len(plain), 1)
        return {number: weight / mean for number, weight in plain.items()}

    def over(self, classes: int, device: torch.device) -> Tensor:
        """The weights of all classes by number, float32 (classes,)."""
        return tensor_of(self, classes, device)

    def with_more(self, counts: Mapping[int, int]) -> "Balance":
        """The same with more pictures of some classes."""
        known = dict(self.counts)
        both = {number: known.get(number, 0) + counts.get(number, 0) for number in sorted({*known, *counts})}
        return replace(self, counts=tuple(both.items()))


@lru_cache(maxsize=8)  # copying them to a device waits for it
def tensor_of(balance: Balance, classes: int, device: torch.device) -> Tensor:
    """The weights on a device."""
    weights = balance.weights
    return torch.tensor([weights.get(number, 1.0) for number in range(classes)], device=device)


@dataclass(frozen=True)
class OwnLabel:
    """The class, from what the newest backbone alone sees: cross-entropy among `classes`.

    rest: all others count as one more class (Yan et al. 2021, dynamically expandable representation: old classes in the auxiliary loss).
    """

    classes: tuple[int, ...]
    rest: bool = False
    name: ClassVar[str] = "own label"
    head: ClassVar[str] = "own"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS})
    kind: ClassVar[str] = "classification"

    @property
    def exists(self) -> bool:
        return bool(self.classes)

    def answer(self, question: Images) -> Tensor:
        return question.y

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        """said: logits (B, classes + 1), of which the last is that of the rest."""
        rest = said.shape[1] - 1
        if self.rest:
            wanted = wanted.masked_fill(outside(rest, self.classes, said.device)[wanted], rest)
        legal = (*self.classes, rest) if self.rest else self.classes
        return functional.cross_entropy(only(said, legal), wanted, reduction="none")
