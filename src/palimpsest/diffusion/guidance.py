"""Guidance: a classifier bends the noise that a sampler follows (Dhariwal, Nichol 2021, arXiv 2105.05233, algorithm 2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RequestError
from palimpsest.diffusion.process import Process
from palimpsest.diffusion.steps import NoiseOf, clamped

Likelihood = Callable[[Tensor, Tensor], Tensor]  # pictures (B, C, H, W), classes (B,) -> ln p (B,)
LEAST_SIGNAL = 0.02


class Guide(Protocol):
    """What a sampler is guided by: `through` says whether a clean picture is looked at, or the noised one."""

    classifier: nn.Module
    scale: float
    through: bool

    def likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        """ln p (B,) of pictures x (B, C, H, W), which are being sampled as of classes y int64 (B,)."""


def guided(noise_of: NoiseOf, process: Process, guide: Guide, y: Tensor, clip: float | None) -> NoiseOf:
    """ε − s √(1 − ᾱ_t) ∇_{x_t} ln p, in place of ε.

    p is of x_t itself, or of the clean picture x̂₀ that ε promises, clamped to [−clip, clip] as in sampling; the gradient then
    goes back through the denoiser. Where hardly any picture is left (√ᾱ_t ≤ 0.02) nothing is bent: the clean picture that is
    promised there is noise, times 1/√ᾱ_t, and so is the gradient.
    """

    def noise(x: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            said = noise_of(x, t)
            seen = clamped(process.clean(x, said, t), clip) if guide.through else x
            (gradient,) = torch.autograd.grad(guide.likelihood(seen, y).sum(), x)
        signal, sigma = process.levels(t)
        return said.detach() - torch.where(signal > LEAST_SIGNAL, guide.scale * sigma, 0.0) * gradient

    return noise


def check_scale(scale: float) -> None:
    """Refuse a scale that is no number from 0."""
    if not 0 <= scale < float("inf"):
        raise RequestError(f"the scale of guidance is {scale:g}, and it is a number from 0.")


@dataclass(frozen=True)
class TowardsOwn:
    """Towards the class that is asked for, by a classifier that looks at noised pictures as if they were clean (DDGR, 2023)."""

    classifier: nn.Module
    scale: float = 1.0
    through: bool = False

    def __post_init__(self) -> None:
        check_scale(self.scale)

    def likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        return log_p(self.classifier, x).gather(1, y[:, None])[:, 0]


@dataclass(frozen=True)
class TowardsOthers:
    """Towards the likeliest of other classes, which may be another one at each step (GUIDE, arXiv 2403.03938, section 4).

    The pictures keep the class that they were asked for, and come to lie near the border between it and the other.
    """

    classifier: nn.Module
    classes: tuple[int, ...]
    scale: float = 0.5
    through: bool = True

    def __post_init__(self) -> None:
        check_scale(self.scale)
        known = len(self.classifier.classes)
        if unknown := [number for number in self.classes if not 0 <= number < known]:
            raise RequestError(
                f"guidance towards class {unknown[0]} was asked of a classifier that has the classes 0 to {known - 1}."
            )

    def likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        return log_p(self.classifier, x)[:, list(self.classes)].amax(1)


def log_p(classifier: nn.Module, x: Tensor) -> Tensor:
    """ln p (B, classes), as in evaluation, also of a classifier in training."""
    training = classifier.training
    classifier.eval()
    said = classifier.logits(x).log_softmax(-1)
    classifier.train(training)
    return said
