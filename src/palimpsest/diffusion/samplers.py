"""Samplers: functions over a callable that says which noise is in a picture. No step waits for the device, but those of
diffusers' UniPC, which solves a small system in each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.random import Numbers
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.guidance import Guide
from palimpsest.diffusion.process import CLEAN, Process
from palimpsest.diffusion.schedulers import find_scheduler, scheduled
from palimpsest.diffusion.steps import SPACINGS, NoiseOf, ancestral_step, check_steps, ddim_step, timesteps


def ddim(
    noise_of: NoiseOf,
    x: Tensor,
    process: Process,
    steps: int,
    *,
    spacing: str = "trailing",
    eta: float = 0.0,
    clip: float | None = 1.0,
    random: Numbers | None = None,
    total: int = 0,
) -> Tensor:
    """DDIM (Song et al. 2021, arXiv 2010.02502): pictures (B, C, H, W) from noise x (B, C, H, W).

    eta: 0 is deterministic, 1 adds as much noise as DDPM; above 0 needs `random`.
    clip: predicted clean pictures are clamped to [−clip, clip]; None leaves them.
    total: rows of the global batch that x is a part of; 0 stands for "as many as here".
    As in diffusers, each step goes down by T // steps, so that where `steps` does not divide T the last one may stop
    just above the clean picture.
    """
    for now in timesteps(process.steps, steps, spacing):
        then = max(now - process.steps // steps, CLEAN)
        x = ddim_step(noise_of, x, process, now, then, clip=clip, eta=eta, random=random, total=total)
    return x


def ddpm(
    noise_of: NoiseOf,
    x: Tensor,
    process: Process,
    steps: int,
    *,
    spacing: str = "trailing",
    clip: float | None = 1.0,
    random: Numbers | None = None,
    total: int = 0,
) -> Tensor:
    """Ancestral sampling (DDPM): pictures (B, C, H, W) from noise x (B, C, H, W); arguments as in `ddim`."""
    times = timesteps(process.steps, steps, spacing)
    for now, then in zip(times, [*times[1:], CLEAN], strict=True):
        x = ancestral_step(noise_of, x, process, now, then, clip=clip, random=random, total=total)
    return x


def halfway(
    noise_of: NoiseOf, x: Tensor, process: Process, steps: int, stop: Tensor, *, clip: float | None = 1.0
) -> Tensor:
    """DDIM that stops each sample at its own level: x_stop (B, C, H, W) from noise x (B, C, H, W).

    stop: int64 (B,), from 0 to T − 1. Each sample goes from T − 1 to its stop in `steps` equal parts, rounded to whole
    levels; a part that rounds to nothing leaves the sample as it is.
    """
    check_steps(steps, process.steps)
    first = process.steps - 1

    def level(part: int) -> Tensor:  # first + (stop − first) · part/steps, rounded, in whole numbers
        return (2 * (first * (steps - part) + stop * part) + steps).div(2 * steps, rounding_mode="floor")

    for part in range(steps):
        now, then = level(part), level(part + 1)
        moved = ddim_step(noise_of, x, process, now, then, clip=clip)
        x = torch.where((now == then).view(-1, 1, 1, 1), x, moved)
    return x


COPIES = 8  # of a picture, at the highest while it is drawn: x, ε, x̂₀, noise, products
COPIES_OF_OTHERS = 16  # diffusers' schedulers of several steps remember more

SAMPLERS: dict[str, Callable[..., Tensor]] = {
    "ddim": ddim,
    "ddpm": ddpm,
    "dpmsolver++": partial(scheduled, scheduler_class="DPMSolverMultistepScheduler"),
    "unipc": partial(scheduled, scheduler_class="UniPCMultistepScheduler"),
}


def find_sampler(name: str) -> Callable[..., Tensor]:
    """The sampler of that name, or the adapter of the diffusers scheduler class of that name; others are refused."""
    if name in SAMPLERS:
        return SAMPLERS[name]
    if name.endswith("Scheduler"):
        find_scheduler(name)
        return partial(scheduled, scheduler_class=name)
    raise unknown("sampler", name, SAMPLERS)


def sample(
    name: str,
    noise_of: NoiseOf,
    x: Tensor,
    process: Process,
    steps: int,
    *,
    spacing: str = "trailing",
    eta: float = 0.0,
    clip: float | None = 1.0,
    random: Numbers | None = None,
    total: int = 0,
) -> Tensor:
    """Pictures (B, C, H, W) from noise x (B, C, H, W) by the sampler `name`; arguments as in `ddim`.

    Raises RequestError for an unknown sampler or spacing, and for steps that are not in 1..T.
    """
    sampler = find_sampler(name)
    options = {"eta": eta} if name == "ddim" else {}
    return sampler(noise_of, x, process, steps, spacing=spacing, clip=clip, random=random, total=total, **options)


@dataclass(frozen=True)
class Sampler:
    """How pictures are sampled from a denoiser: the one way in for teachers, evaluation and the command line.

    name: one of SAMPLERS, or the class name of a diffusers scheduler.
    spacing: "trailing", "leading" or "linspace".  eta: the noise that ddim adds, from 0 to 1.
    """

    name: str = "ddim"
    steps: int = 10
    spacing: str = "trailing"
    eta: float = 0.0

    def __post_init__(self) -> None:
        find_sampler(self.name)
        if self.spacing not in SPACINGS:
            raise unknown("spacing", self.spacing, SPACINGS)
        if not 0 <= self.eta <= 1:
            raise RequestError(f"eta is {self.eta}, and it goes from 0 (no noise added) to 1 (as much as DDPM).")
        if self.eta and self.name != "ddim":
            raise RequestError(f'eta is an option of ddim, and the sampler is "{self.name}"; leave eta at 0.')

    @property
    def copies(self) -> int:
        """How many pictures' memory the drawing of one takes at the highest, beside the network's activations."""
        return COPIES if self.name in ("ddim", "ddpm") else COPIES_OF_OTHERS

    @property
    def draws_by_row(self) -> bool:
        """Whether several batches may be sampled as one: the noise that it adds, if any, is drawn for each from `random`."""
        return self.name in SAMPLERS

    @torch.no_grad()
    def __call__(
        self,
        denoiser: Denoiser,
        noise: Tensor,
        random: Numbers | None = None,
        *,
        y: Tensor | None = None,
        total: int = 0,
        guide: Guide | None = None,
    ) -> Tensor:
        """Pictures float32 (B, C, H, W) from noise (B, C, H, W).

        random: needed by samplers that draw.  y: classes int64 (B,) for a conditional denoiser.  guide: bends the noise.
        total: rows of the global batch that the noise is a part of; 0 stands for "as many as here".
        """

        def noise_of(x: Tensor, t: Tensor) -> Tensor:
            return denoiser.noise(x, t, y)

        return sample(
            self.name,
            guide.bent(denoiser, y) if guide else noise_of,
            noise,
            denoiser.process,
            self.steps,
            spacing=self.spacing,
            eta=self.eta,
            clip=denoiser.clip_range,
            random=random,
            total=total,
        )
