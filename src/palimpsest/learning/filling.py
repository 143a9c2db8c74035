"""What a phase replays from, kept over its steps: pools are filled before it begins, and both they and dreams that depend on the
student may be renewed on the way. All of it is part of a checkpoint."""

from collections.abc import Callable

import torch
from torch.nn import functional

from palimpsest.core.batch import Batch
from palimpsest.core.random import Address
from palimpsest.core.term import Phase, Source
from palimpsest.learning.devices import Machine
from palimpsest.learning.progress import Progress
from palimpsest.learning.work import below
from palimpsest.sources import Part, Pool, Refreshed
from palimpsest.sources.ahead import lowered


def sources_of(phase: Phase) -> list[Source]:
    """The sources that a phase draws from, those that it draws from in part included."""
    sources = dict.fromkeys(term.source for term in phase.present)
    return list(dict.fromkeys(source.source if isinstance(source, Part) else source for source in sources))


def keeping(phase: Phase) -> list[Pool | Refreshed]:
    """Those of a phase's sources that keep something over its steps."""
    return [source for source in sources_of(phase) if isinstance(source, Pool | Refreshed)]


def take_over(source: Pool | Refreshed, progress: Progress) -> None:
    """Let a source go on with what a checkpoint has of it, and be part of the next one."""
    if before := below(progress.pending, f"pool.{source.name}."):
        source.kept.load({name: tensor.to(progress.machine.device) for name, tensor in before.items()})
    progress.pools[source.name] = source.kept


def pretend(pool: Pool) -> None:
    """Fill a pool with blank pictures, one of each class: a step over them costs what any step costs."""
    labels, count = torch.tensor(pool.classes), len(pool.classes)
    opinions = functional.one_hot(labels, pool.said).float()
    pool.kept.labelled, pool.kept.accepted = torch.ones(2, count, dtype=torch.int64)
    pool.kept.pixels, pool.kept.closed = torch.zeros(count, *pool.dreamer.shape, dtype=torch.uint8), True
    pool.kept.labels, pool.kept.opinions = labels, opinions
    device = next(pool.dreamer.parameters()).device
    pool.kept.load({name: tensor.to(device) for name, tensor in pool.kept.state().items()})


def fill(pool: Pool, progress: Progress, address: Address, after_dreams: Callable[[Pool], None]) -> None:
    """Dream until the pool is full, each batch from an address of its own; all processes keep all of it.

    after_dreams: called after each batch; may save, and may raise.
    """
    machine = progress.machine
    while not pool.full:
        rows = pool.due(machine.ahead.rows)
        batch = Batch(rows, 0, (*address, pool.kept.batches), machine.device, machine.rank, machine.world)
        with machine.autocast(), lowered(machine.ahead, machine.device):
            x, opinions = pool.dream(batch.random(pool.name, "dreamt"), rows)
        pool.take_in(machine.gathered(x), machine.gathered(opinions))
        after_dreams(pool)
    pool.close(address)


def renew(source: Refreshed, batch: Batch, machine: Machine) -> None:
    """Draw a new batch; all processes keep all of it."""
    with machine.autocast():
        x, y = source.renewed(batch)
    source.kept.x, source.kept.y, source.kept.step = machine.gathered(x), machine.gathered(y), batch.step
