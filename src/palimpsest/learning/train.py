"""The loop over steps."""

from collections.abc import Callable
from typing import Protocol

from palimpsest.core.batch import Batch
from palimpsest.core.objective import objective
from palimpsest.core.random import Address
from palimpsest.core.term import Phase
from palimpsest.learning.devices import Machine
from palimpsest.learning.progress import Progress
from palimpsest.learning.work import Descent, batches, seed_network
from palimpsest.sources import rows_in


class Journal(Protocol):
    """Whoever is told of each step: writes events and checkpoints, and raises Interrupted when asked to stop."""

    def after_step(self, pictures: int) -> None: ...


def train(
    phase: Phase, progress: Progress, address: Address, journal: Journal, prepare: Callable[[Batch], None]
) -> None:
    """Descend the sum of a phase's terms, from the step where the work stands to the last.

    prepare: called before each step.
    """
    terms, work, machine = phase.present, progress.work, progress.machine
    for batch in batches(work.descent, rows_an_epoch(phase), address, machine, progress.step):
        prepare(batch)
        seed_network(batch)
        with machine.autocast():
            counting = [term for term in terms if progress.step % term.every == 0]
            loss, parts = objective(counting, work.student, batch)
        work.descend(loss, progress.step)
        progress.meter.add(parts, progress.step)
        progress.step += 1
        journal.after_step(batch.size)


def rows_an_epoch(phase: Phase) -> int:
    """Rows of an epoch of the phase, which is over when all real pictures were seen: the most that one of its sources needs for that."""
    return max((getattr(term.source, "epoch_rows", 0) for term in phase.present), default=0)


def rows_of(phase: Phase, descent: Descent, machine: Machine) -> dict[str, int]:
    """Steps of a phase, and the rows of training data in them: real ones, and those that stand in for real ones."""
    found = {"steps": descent.steps, "real": 0, "synthetic": 0}
    sources = {term.source for term in phase.present}
    for batch in batches(descent, rows_an_epoch(phase), (), machine, 0):
        for source in sources:
            real, synthetic = rows_in(source, batch)
            found["real"] += real
            found["synthetic"] += synthetic
    return found
