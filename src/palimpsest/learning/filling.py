"""Filling the pools of a phase before it begins."""

from collections.abc import Callable

import torch
from torch.nn import functional

from palimpsest.core.batch import Batch
from palimpsest.core.random import Address
from palimpsest.core.term import Phase
from palimpsest.learning.progress import Progress
from palimpsest.sources import Part, Pool
from palimpsest.sources.ahead import lowered


def pools_of(phase: Phase) -> list[Pool]:
    """The pools that a phase draws from, also in part."""
    sources = dict.fromkeys(term.source for term in phase.present)
    inner = (source.source if isinstance(source, Part) else source for source in sources)
    return [source for source in dict.fromkeys(inner) if isinstance(source, Pool)]


def take_over(pool: Pool, progress: Progress) -> None:
    """Let a pool go on with what a checkpoint has of it, and be part of the next one."""
    before = progress.pools.get(pool.name)
    if before is not None and before is not pool.kept:
        pool.kept.load(before.state())
    progress.pools[pool.name] = pool.kept


def pretend(pool: Pool) -> None:
    """Fill a pool with blank pictures, one of each class: a step over them costs what any step costs."""
    labels, count = torch.tensor(pool.classes), len(pool.classes)
    opinions = functional.one_hot(labels, len(pool.labeller.classes)).float()
    pool.kept.accepted = torch.ones(count, dtype=torch.int64)
    pool.kept.pixels, pool.kept.closed = torch.zeros(count, *pool.dreamer.shape, dtype=torch.uint8), True
    pool.kept.labels, pool.kept.opinions = labels, opinions
    device = next(pool.dreamer.parameters()).device
    pool.kept.load({name: tensor.to(device) for name, tensor in pool.kept.state().items()})


def fill(pool: Pool, progress: Progress, address: Address, after_dreams: Callable[[Pool], None]) -> None:
    """Dream until the pool is full, each batch from an address of its own; all processes keep all of it.

    after_dreams: called after each batch; may save, and may raise.
    """
    machine = progress.machine
    rows = machine.ahead.rows or pool.wanted
    while not pool.full:
        batch = Batch(rows, 0, (*address, pool.kept.batches), machine.device, machine.rank, machine.world)
        with machine.autocast(), lowered(machine.ahead, machine.device):
            x, opinions = pool.dream(batch.random(pool.name, "dreamt"), rows)
        pool.take_in(machine.gathered(x), machine.gathered(opinions))
        after_dreams(pool)
    pool.close(address)
