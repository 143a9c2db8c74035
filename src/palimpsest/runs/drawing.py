"""Samples by fixed noise, on one process or many."""

from collections.abc import Callable

import torch
from torch import Tensor

from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.samplers import Sampler, check_steps
from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.learning.devices import Machine


def samplers_of(options: EvaluationOptions, denoiser: Denoiser | None) -> tuple[Sampler, Sampler | None]:
    """The experiment's own sampler for evaluation, and the long one; no sampler has more steps than there are levels."""
    own = Sampler(options.sampler, options.steps)
    levels = denoiser.process.steps if denoiser else own.steps
    check_steps(own.steps, levels)
    if denoiser is None or not (options.samples and options.long_steps):
        return own, None
    return own, Sampler(options.long_sampler, min(options.long_steps, levels))


@torch.no_grad()
def draw_samples(
    denoiser: Denoiser,
    sampler: Sampler,
    count: int,
    batch: int,
    address: tuple,
    machine: Machine,
    check: Callable[[int], None] = lambda drawn: None,
) -> Tensor:
    """`count` samples (count, C, H, W) on the CPU, float32 in [-1, 1]; the processes share each batch.

    check: is told before each batch how many are drawn, and may raise.
    """
    parts = []
    for first in range(0, count, batch):
        check(first)
        rows = min(batch, count - first)
        random = machine.random(*address, first)
        noise = random.normal(rows, *denoiser.shape)
        with machine.autocast():
            mine = sampler(denoiser, noise, random, total=rows)
        parts.append(machine.gathered(mine).cpu())
    return torch.cat(parts).clamp(-1, 1)
