"""Guidance: what bends the noise that a sampler follows: a classifier (Dhariwal, Nichol 2021, arXiv 2105.05233, algorithm 2), or
the denoiser itself, asked with and without a class (Ho, Salimans 2022, arXiv 2207.12598)."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RequestError
from palimpsest.core.images import class_numbers
from palimpsest.core.modes import evaluating
from palimpsest.diffusion.denoiser import Denoiser, levels
from palimpsest.diffusion.process import PURE, Process
from palimpsest.diffusion.steps import NoiseOf, clamped


class Guide(Protocol):
    """What a sampler is guided by. asked: the networks that it asks, beside the denoiser."""

    asked: tuple[nn.Module, ...]

    def bent(self, denoiser: Denoiser, y: Tensor) -> NoiseOf:
        """What is followed in place of the denoiser's noise, for pictures of classes y int64 (B,)."""

    def gone_back_through(self, denoiser: Denoiser) -> tuple[nn.Module, ...]:
        """The networks that its gradient goes back through."""


def guided(noise_of: NoiseOf, process: Process, guide: "ByClassifier", y: Tensor, clip: float | None) -> NoiseOf:
    """ε − s √(1 − ᾱ_t) ∇_{x_t} ln p, in place of ε.

    p is of x_t itself, or of the clean picture x̂₀ that ε promises, clamped to [−clip, clip] as in sampling; the gradient
    then goes back through the denoiser, and is 0 for pixels that were clamped. Where hardly any picture is left
    (√ᾱ_t ≤ 0.02: with linear noise levels those above about 850 to 880 of 1000) nothing is bent: the clean picture that is
    promised there is noise, times 1/√ᾱ_t, and so is the gradient. Neither is known of the published codes.
    """

    def noise(x: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            with nullcontext() if guide.through else torch.no_grad():
                said = noise_of(x, t)
            seen = clamped(process.clean(x, said, t), clip) if guide.through else x
            (gradient,) = torch.autograd.grad(guide.likelihood(seen, y).sum(), x)
        signal, sigma = process.levels(t)
        return said.detach() - torch.where(signal > PURE, guide.scale * sigma, 0.0) * gradient

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
class ByClassifier:
    """Towards the class that is asked for (DDGR, 2023), or towards the likeliest of others (GUIDE, arXiv 2403.03938).

    The likeliest of `others` may be another one at each step; the pictures keep the class that they were asked for, and come to lie
    near the border between it and the other.

    scale: s.  known: the classes among which p is, those that the classifier has learnt; none given: all that it has.
    others: None: towards the pictures' own class.
    through: the classifier looks at the clean picture that the denoiser promises, and not at the noised one as if it were clean.
    """

    classifier: nn.Module
    scale: float = 1.0
    known: tuple[int, ...] = ()
    others: tuple[int, ...] | None = None
    through: bool = False

    def __post_init__(self) -> None:
        check_scale(self.scale)
        if self.others == ():
            raise RequestError("guidance towards other classes was asked for, and none was named.")
        there = tuple(range(len(self.classifier.classes)))
        check_towards(self.known, there)
        check_towards(self.others or (), self.known or there)

    @property
    def asked(self) -> tuple[nn.Module, ...]:
        return (self.classifier,)

    def bent(self, denoiser: Denoiser, y: Tensor) -> NoiseOf:
        return guided(lambda x, t: denoiser.noise(x, t, y), denoiser.process, self, y, denoiser.clip_range)

    def gone_back_through(self, denoiser: Denoiser) -> tuple[nn.Module, ...]:
        return (denoiser, self.classifier) if self.through else (self.classifier,)

    def likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        """ln p (B,) of pictures x (B, C, H, W), which are being sampled as of classes y int64 (B,)."""
        said = log_p(self.classifier, x, self.known)
        if self.others is None:
            return said.gather(1, y[:, None])[:, 0]
        return said.index_select(1, class_numbers(self.others, said.device)).amax(1)


def check_towards(asked: Sequence[int], known: Sequence[int]) -> None:
    """Refuse class numbers that a classifier does not have."""
    if unknown := [number for number in asked if number not in known]:
        raise RequestError(
            f"guidance towards class {unknown[0]} was asked of a classifier that knows the classes "
            f"{', '.join(map(str, known))}."
        )


def log_p(classifier: nn.Module, x: Tensor, known: tuple[int, ...] = ()) -> Tensor:
    """ln p (B, classes) among those that are known, as in evaluation, also of a classifier in training."""
    with evaluating(classifier):
        said = classifier.logits(x)
    among = said.index_select(1, class_numbers(known, said.device)) if known else said
    return said - among.logsumexp(-1, keepdim=True)
