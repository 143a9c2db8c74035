"""Targets of the weights themselves: stay near those of the past, where they mattered (elastic weight consolidation)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

Vector = Mapping[str, Tensor]  # as long as the weights, by the parameter's name


@dataclass(frozen=True, eq=False)
class Diagonal:
    """½ Σ_i F_i (θ_i − θ*_i)², where F is the diagonal of the Fisher information (Kirkpatrick et al. 2017, eq. 3).

    Those of several tasks are one: the sum of two parabolas is a parabola, and a constant.
    """

    kind: ClassVar[str] = "fisher"
    fisher: Vector
    anchor: Vector
    constant: Tensor

    def penalty(self, weights: Vector) -> Tensor:
        """A scalar with gradient."""
        parts = [(fisher * (weights[name] - self.anchor[name]).square()).sum() for name, fisher in self.fisher.items()]
        return self.constant + 0.5 * torch.stack(parts).sum()

    def and_of(self, past: Sequence["Diagonal"]) -> tuple["Diagonal"]:
        """The sum of this one and those of the tasks before, which are one at the most."""
        return (self.plus(past[0]),) if past else (self,)

    def plus(self, other: "Diagonal") -> "Diagonal":
        """F₁ + F₂ around (F₁θ₁ + F₂θ₂)/(F₁ + F₂), and ½ Σ F₁F₂/(F₁ + F₂) (θ₁ − θ₂)²."""
        total = {name: fisher + other.fisher[name] for name, fisher in self.fisher.items()}
        share = {name: torch.where(both > 0, self.fisher[name] / both, 0.5) for name, both in total.items()}
        anchor = {name: torch.lerp(other.anchor[name], self.anchor[name], part) for name, part in share.items()}
        apart = [
            (share[name] * other.fisher[name] * (self.anchor[name] - other.anchor[name]).square()).sum()
            for name in share
        ]
        return Diagonal(total, anchor, self.constant + other.constant + 0.5 * torch.stack(apart).sum())

    def state(self) -> dict[str, Tensor]:
        """As tensors, for a checkpoint."""
        return named("fisher", self.fisher) | named("anchor", self.anchor) | {"constant": self.constant}


@dataclass(frozen=True, eq=False)
class RankOne:
    """½ c (μ · (θ − θ*))², with μ the mean gradient and c = E[(μ · g)²] / ‖μ‖⁴ (Wang et al. 2025, arXiv 2509.23593).

    Where gradients of single samples are nearly parallel, as they are at high noise levels, F ≈ c μ μᵀ.
    """

    kind: ClassVar[str] = "rank1_fisher"
    mean: Vector
    anchor: Vector
    constant: Tensor

    def penalty(self, weights: Vector) -> Tensor:
        """A scalar with gradient."""
        parts = [(mean * (weights[name] - self.anchor[name])).sum() for name, mean in self.mean.items()]
        return 0.5 * self.constant * torch.stack(parts).sum().square()

    def and_of(self, past: Sequence["RankOne"]) -> tuple["RankOne", ...]:
        """This one and those of the tasks before."""
        return (*past, self)

    def state(self) -> dict[str, Tensor]:
        """As tensors, for a checkpoint."""
        return named("mean", self.mean) | named("anchor", self.anchor) | {"constant": self.constant}


Importance = Diagonal | RankOne
KINDS: Mapping[str, tuple[type, str]] = {"fisher": (Diagonal, "fisher"), "rank1_fisher": (RankOne, "mean")}


@dataclass(frozen=True)
class OldWeights:
    """What moving the weights costs, by their importance for the past tasks. It asks no head: its source is `nowhere`."""

    importances: tuple[Importance, ...]
    name: str = "old_weights"
    head: ClassVar[str] = ""
    needs: ClassVar[frozenset[str]] = frozenset()

    @property
    def exists(self) -> bool:
        return bool(self.importances)

    def penalty(self, student: nn.Module) -> Tensor:
        """The sum over past tasks, a scalar with gradient."""
        weights = dict(student.named_parameters())
        return torch.stack([each.penalty(weights) for each in self.importances]).sum()


def named(part: str, vector: Vector) -> dict[str, Tensor]:
    return {f"{part}.{name}": tensor for name, tensor in vector.items()}


def importance_of(kind: str, state: Mapping[str, Tensor], weights: Vector) -> Importance:
    """From `state()`, in the order and the layout of the weights, which decide the last bits of a sum."""
    made, first = KINDS[kind]

    def vector(part: str) -> Vector:
        return {name: torch.empty_like(each).copy_(state[f"{part}.{name}"]) for name, each in weights.items()}

    constant = next(iter(weights.values())).new_tensor(state["constant"].item())
    with torch.no_grad():
        return made(vector(first), vector("anchor"), constant)
