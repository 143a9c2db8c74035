"""The global batch of one step, and how much may be drawn before it is needed."""

from dataclasses import dataclass, replace

import torch

from palimpsest.core.random import Address, Random, generator, share


@dataclass(frozen=True)
class Ahead:
    """How far sources that do not depend on the student may draw ahead. Both numbers decide a run's last bits.

    rows: samples that a process draws at once, if that is more than one batch of them.
    memory: bytes that each source may take for samples, beside the teacher's activations.
    precision: of the teacher while it draws: "bf16", or "" for that of the training around it.
    """

    rows: int = 0
    memory: float = float("inf")
    precision: str = ""


@dataclass(frozen=True)
class Batch:
    """The global batch of one step, and which part of it this process draws.

    size: rows of the global batch.  start: rows of this phase that came before it.
    address: (seed, task, phase, step).
    whole: rows of a batch of this phase that is not a short last one; 0 stands for `size`.
    steps: of this phase; 0 where it is not known.
    epoch: steps of an epoch, where its last batch is short; 0 where all are whole.
    """

    size: int
    start: int = 0
    address: Address = ()
    device: torch.device | str = "cpu"
    rank: int = 0
    world: int = 1
    whole: int = 0
    steps: int = 0
    epoch: int = 0
    ahead: Ahead = Ahead()

    @property
    def step(self) -> int:
        """Its number in the phase, from 0."""
        return self.address[-1]

    @property
    def rows(self) -> int:
        """Rows of a whole batch."""
        return self.whole or self.size

    @property
    def mine(self) -> slice:
        """The global rows that this process draws; a batch that is not whole has the first ones."""
        return share(self.rows, self.rank, self.world)

    def random(self, *name: str | int, device: torch.device | str | None = None) -> Random:
        """The numbers that belong to `name` (a source's name, or a part of it) in this step, on the batch's device."""
        return Random(generator(*self.address, *name, device=device or self.device), self.rank, self.world, self.rows)

    def part(self, first: float, last: float) -> "Batch":
        """The rows between two shares of this batch, as a batch of their own: those of (0, s) and (s, 1) are all of them."""
        whole = round(last * self.rows) - round(first * self.rows)
        size = round(last * self.size) - round(first * self.size)
        return replace(self, size=size, start=self.step * whole, whole=whole, epoch=0)

    def at(self, step: int) -> "Batch":
        """The same, with the randomness of another step of the phase."""
        return replace(self, address=(*self.address[:-1], step))
