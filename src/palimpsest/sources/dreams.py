"""What a frozen denoiser imagines: whole pictures, or pictures stopped half-way."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from palimpsest.core.images import Images, Noised
from palimpsest.core.term import IMAGES, NOISED, TRUE_NOISE, Batch
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.samplers import Sampler, check_steps, halfway


@dataclass(frozen=True)
class Dreams:
    """Pictures that a frozen denoiser samples, new ones in every step (generative replay, Shin et al. 2017).

    denoiser: the teacher; None before there is one.
    """

    denoiser: Denoiser | None
    sampler: Sampler
    name: str = "dreams"
    gives: ClassVar[frozenset[str]] = frozenset({IMAGES, TRUE_NOISE})
    is_synthetic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.denoiser is not None:
            check_steps(self.sampler.steps, self.denoiser.process.steps)

    @property
    def exists(self) -> bool:
        return self.denoiser is not None

    @torch.no_grad()
    def draw(self, batch: Batch) -> Images:
        """Samples in [-1, 1], as the sampler leaves them: neither rounded nor labelled."""
        random = batch.random(self.name)
        noise = random.normal(batch.size, *self.denoiser.shape)
        return Images(self.sampler(self.denoiser, noise, random, total=batch.size), total=batch.size)


@dataclass(frozen=True)
class Halfway:
    """Samples that a frozen denoiser stops denoising at a uniformly drawn noise level: never clean, never noised again.

    The partial generation of the published code of 2311.14028 (not in the paper).
    """

    denoiser: Denoiser | None
    steps: int
    name: str = "halfway"
    gives: ClassVar[frozenset[str]] = frozenset({NOISED})

    def __post_init__(self) -> None:
        if self.denoiser is not None:
            check_steps(self.steps, self.denoiser.process.steps)

    @property
    def exists(self) -> bool:
        return self.denoiser is not None

    @torch.no_grad()
    def draw(self, batch: Batch) -> Noised:
        """Inputs on the teacher's own sampling path, each at its own noise level."""
        random, teacher = batch.random(self.name), self.denoiser
        noise = random.normal(batch.size, *teacher.shape)
        stop = random.integers(teacher.process.steps, batch.size)
        x_t = halfway(teacher.noise, noise, teacher.process, self.steps, stop, clip=teacher.clip_range)
        return Noised(x_t, stop, total=batch.size)
