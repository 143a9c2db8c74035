"""Where in the diffusion process a method forgets: how far the present model is from the first that knew a task."""

from collections.abc import Iterator

import torch
from torch import Tensor

from palimpsest.core.random import Address, generator
from palimpsest.diffusion.denoiser import Denoiser

LEVELS = 10  # noise levels that are looked at


def spread_levels(steps: int) -> list[int]:
    """Noise levels from 0 (nearly clean) to `steps` − 1 (nearly noise), evenly spread, at most ten."""
    return torch.linspace(0, steps - 1, min(LEVELS, steps)).round().int().tolist()


@torch.no_grad()
def predictions(denoiser: Denoiser, x: Tensor, y: Tensor | None, address: Address) -> Tensor:
    """The noise that a denoiser sees in pictures x (N, C, H, W) in [-1, 1] at each of the levels: (levels, N, C, H, W).

    y: their classes int64 (N,), for a denoiser that is told of them.

    The noise that is added comes from the address: two denoisers asked with one address see the same inputs.
    """
    return torch.stack([said.cpu() for _, said in at_levels(denoiser, x, y, address)])


@torch.no_grad()
def surprise(denoiser: Denoiser, x: Tensor, y: Tensor | None, address: Address) -> Tensor:
    """How badly a denoiser sees the noise in each of some pictures: float32 (N,) from N pictures (N, C, H, W) in [-1, 1].

        s(x) = mean over levels t of ‖ε − ε_θ(x_t, t)‖² / (C·H·W)

    The simplified bound of Ho et al. 2020 (arXiv 2006.11239, eq. 14) at ten noise levels: the less, the more a picture is like
    what was learnt.  y: their classes int64 (N,), for a denoiser that is told of them.  Equal addresses have equal noise.
    """
    errors = [(said - noise).square().flatten(1).mean(1) for noise, said in at_levels(denoiser, x, y, address)]
    return torch.stack(errors).mean(0)


def at_levels(denoiser: Denoiser, x: Tensor, y: Tensor | None, address: Address) -> Iterator[tuple[Tensor, Tensor]]:
    """The noise that is added to pictures at each level, and the noise that a denoiser then sees in them."""
    process = denoiser.process
    for level in spread_levels(process.steps):
        noise = torch.randn(x.shape, generator=generator(*address, level, device=x.device), device=x.device)
        t = torch.full((len(x),), level, dtype=torch.int64, device=x.device)
        yield noise, denoiser.noise(process.add_noise(x, noise, t), t, y)


def denoising_error(present: Tensor, first: Tensor) -> list[float]:
    """Mean squared difference, at each noise level, of two models' predictions of the noise in the same inputs.

        e(t) = E_{x, ε} ‖ε_present(x_t, t) − ε_first(x_t, t)‖² / (C·H·W),   x: test pictures of a past task

    present, first: what `predictions` gave for the present model, and for the first model that knew the task.
    Unit: squared noise, where the noise has variance 1.  Direction: lower; 0 where nothing changed.  Range: from 0.
    Sample count: the N pictures.  Not a distance to the truth: a model that gets better has an error, too.
    """
    return (present - first).square().flatten(1).mean(dim=1).tolist()
