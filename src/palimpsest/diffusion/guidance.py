"""Guidance: what bends the noise that a sampler follows: a classifier (Dhariwal, Nichol 2021, arXiv 2105.05233, algorithm 2), or
the denoiser itself, asked with and without a class (Ho, Salimans 2022, arXiv 2207.12598)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RequestError
from palimpsest.diffusion.denoiser import Denoiser, levels
from palimpsest.diffusion.process import Process
from palimpsest.diffusion.steps import NoiseOf, clamped

Likelihood = Callable[[Tensor, Tensor], Tensor]  # pictures (B, C, H, W), classes (B,) -> ln p (B,)
LEAST_SIGNAL = 0.02


class Guide(Protocol):
    """What a sampler is guided by. asked: the networks that it asks, beside the denoiser."""

    asked: tuple[nn.Module, ...]

    def bent(self, denoiser: Denoiser, y: Tensor) -> NoiseOf:
        """What is followed in place of the denoiser's noise, for pictures of classes y int64 (B,)."""

    def gone_back_through(self, denoiser: Denoiser) -> tuple[nn.Module, ...]:
        """The networks that its gradient goes back through."""


class Classifying(Protocol):
    """A guide that is a classifier: `through` says whether a clean picture is looked at, or the noised one."""

    scale: float
    through: bool

    def likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        """ln p (B,) of pictures x (B, C, H, W), which are being sampled as of classes y int64 (B,)."""


def guided(noise_of: NoiseOf, process: Process, guide: Classifying, y: Tensor, clip: float | None) -> NoiseOf:
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
    if not 0 <= scale < math.inf:
        raise RequestError(f"the scale of guidance is {scale:g}, and it is a number from 0.")


@dataclass(frozen=True)
class WithoutClassifier:
    """ε(∅) + s (ε(y) − ε(∅)): what a class adds to the noise, s times. It takes two passes; s = 1 would be the denoiser's own.

    scale: s.
    """

    scale: float
    asked: ClassVar[tuple[nn.Module, ...]] = ()

    def __post_init__(self) -> None:
        check_scale(self.scale)

    def check(self, denoiser: Denoiser) -> None:
        """Refuse a denoiser that does not learn to go without a class."""
        if denoiser.null is None:
            raise RequestError(
                f"guidance of {self.scale:g} needs a denoiser that learns to go without a class now and then; set "
                "diffusion.untold, for example to 0.1, or leave guidance at 1."
            )

    def bent(self, denoiser: Denoiser, y: Tensor) -> NoiseOf:
        self.check(denoiser)
        both = torch.cat([y, torch.full_like(y, denoiser.null)])

        def noise(x: Tensor, t: Tensor) -> Tensor:
            told, untold = denoiser.noise(torch.cat([x, x]), torch.cat([levels(t, x)] * 2), both).chunk(2)
            return untold + self.scale * (told - untold)

        return noise

    def gone_back_through(self, denoiser: Denoiser) -> tuple[nn.Module, ...]:
        return ()


@dataclass(frozen=True)
class TowardsOwn:
    """Towards the class that is asked for, by a classifier that looks at noised pictures as if they were clean (DDGR, 2023)."""

    classifier: nn.Module
    scale: float = 1.0
    through: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_scale(self.scale)

    @property
    def asked(self) -> tuple[nn.Module, ...]:
        return (self.classifier,)

    def bent(self, denoiser: Denoiser, y: Tensor) -> NoiseOf:
        return by_classifier(self, denoiser, y)

    def gone_back_through(self, denoiser: Denoiser) -> tuple[nn.Module, ...]:
        return (self.classifier,)

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
    through: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_scale(self.scale)
        known = len(self.classifier.classes)
        if unknown := [number for number in self.classes if not 0 <= number < known]:
            raise RequestError(
                f"guidance towards class {unknown[0]} was asked of a classifier that has the classes 0 to {known - 1}."
            )

    @property
    def asked(self) -> tuple[nn.Module, ...]:
        return (self.classifier,)

    def bent(self, denoiser: Denoiser, y: Tensor) -> NoiseOf:
        return by_classifier(self, denoiser, y)

    def gone_back_through(self, denoiser: Denoiser) -> tuple[nn.Module, ...]:
        return denoiser, self.classifier

    def likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        return log_p(self.classifier, x)[:, list(self.classes)].amax(1)


def by_classifier(guide: Classifying, denoiser: Denoiser, y: Tensor) -> NoiseOf:
    """A denoiser's noise for pictures of classes y, bent."""
    return guided(lambda x, t: denoiser.noise(x, t, y), denoiser.process, guide, y, denoiser.clip_range)


def log_p(classifier: nn.Module, x: Tensor) -> Tensor:
    """ln p (B, classes), as in evaluation, also of a classifier in training."""
    training = classifier.training
    classifier.eval()
    said = classifier.logits(x).log_softmax(-1)
    classifier.train(training)
    return said
