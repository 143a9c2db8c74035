"""Samples by fixed noise, on one process or many."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from palimpsest.core.random import Random
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
    classes: Sequence[int] = (),
) -> Tensor:
    """`count` samples (count, C, H, W) on the CPU, float32 in [-1, 1]; the processes share each batch.

    classes: which a conditional denoiser is asked for, in turn.  check: is told before each batch how many are drawn, and may raise.
    """
    parts = []
    for first in range(0, count, batch):
        check(first)
        rows = min(batch, count - first)
        random = machine.random(*address, first)
        noise = random.normal(rows, *denoiser.shape)
        with machine.autocast():
            mine = sampler(denoiser, noise, random, y=in_turn(classes, first, random, rows, denoiser), total=rows)
        parts.append(machine.gathered(mine).cpu())
    return torch.cat(parts).clamp(-1, 1)


def in_turn(classes: Sequence[int], first: int, random: Random, rows: int, denoiser: Denoiser) -> Tensor | None:
    """The classes of this process's rows of samples `first` ... `first + rows`; None where nothing is told of classes."""
    if not denoiser.conditional:
        return None
    known = torch.tensor(list(classes or denoiser.told_of), device=random.generator.device)
    return random.mine(known[torch.arange(first, first + rows, device=known.device) % len(known)])
