"""What a network predicts, made to speak ε: all other code asks for the noise and hears the noise.

With x_t = √ᾱ x₀ + σ ε and σ² = 1 − ᾱ, an error of the network's own prediction becomes an error of ε by a factor that
depends on t only. Its inverse square is `weight`: what a squared ε-error must count to be the network's own loss.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from palimpsest.core.errors import unknown
from palimpsest.diffusion.process import Process


class Parametrisation(Protocol):
    """How to read a network's output."""

    def to_noise(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """ε (B, C, H, W) from the output (B, C, H, W) about inputs x_t (B, C, H, W) at t int64 (B,)."""

    def weight(self, t: Tensor) -> Tensor | None:
        """The factor (B,) from a squared error of ε to a squared error of the output; None stands for 1."""


@dataclass(frozen=True)
class Epsilon:
    """The network predicts the noise (DDPM)."""

    process: Process

    def to_noise(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        return output

    def weight(self, t: Tensor) -> None:
        return None


@dataclass(frozen=True)
class Sample:
    """The network predicts the clean picture: ε = (x_t − √ᾱ x₀)/σ, and |Δx₀|² = |Δε|² (1 − ᾱ)/ᾱ."""

    process: Process

    def to_noise(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        signal, sigma = self.process.levels(t)
        return (x_t - signal * output) / sigma

    def weight(self, t: Tensor) -> Tensor:
        power = self.process.power[t]
        return (1 - power) / power


@dataclass(frozen=True)
class Velocity:
    """The network predicts v = √ᾱ ε − σ x₀ (Salimans and Ho 2022): ε = √ᾱ v + σ x_t, and |Δv|² = |Δε|²/ᾱ."""

    process: Process

    def to_noise(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        signal, sigma = self.process.levels(t)
        return signal * output + sigma * x_t

    def weight(self, t: Tensor) -> Tensor:
        return 1 / self.process.power[t]


PARAMETRISATIONS = {"epsilon": Epsilon, "sample": Sample, "v_prediction": Velocity}  # diffusers' words


def make_parametrisation(predicts: str, process: Process) -> Parametrisation:
    """The reading of a network that predicts "epsilon", "sample" or "v_prediction"; any other word is refused."""
    if predicts not in PARAMETRISATIONS:
        raise unknown("prediction", predicts, PARAMETRISATIONS)
    return PARAMETRISATIONS[predicts](process)
