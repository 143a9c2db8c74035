"""Drawing ahead: a teacher that is frozen gives the same in any order, so it is asked about many steps' samples at once.

A source says how long its period is, the steps that one batch's worth of drawing serves: 1 where each sample is used
once, r where it is used r times, N where it is a trajectory of N points. A chunk is as many periods as are worth it and
fit into memory. Chunks start at multiples of their length in the phase, so that a resumed run draws the same ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.files import megabytes
from palimpsest.core.random import Together

FLOAT = 4  # bytes


class DrawnAhead(Protocol):
    """A source that draws ahead.

    name: of the source.  period: steps that one batch's worth of drawing serves.  row_bytes: held for each drawn row.
    """

    name: str
    period: int
    row_bytes: int


@dataclass(frozen=True)
class Chunk:
    """Periods that are drawn at once. numbers: which.  period: steps of each.  batch: that of the present step."""

    numbers: range
    period: int
    batch: Batch

    @classmethod
    def of(cls, source: DrawnAhead, batch: Batch) -> "Chunk":
        """The chunk that the present step lies in; the last one of a phase is no longer than the phase."""
        together, number = periods_together(source, batch), batch.step // source.period
        first = number - number % together
        last = first + together
        if batch.steps:
            last = min(last, math.ceil(batch.steps / source.period))
        return cls(range(first, last), source.period, batch)

    @property
    def place(self) -> tuple:
        """What tells it from other chunks."""
        return self.batch.address[:-1], self.numbers, self.batch.rows, self.batch.rank, self.batch.world

    @property
    def rows(self) -> int:
        """Rows that are drawn, all processes together."""
        return len(self.numbers) * self.batch.rows

    @property
    def step(self) -> int:
        """The present step, counted from the chunk's first."""
        return self.batch.step - self.numbers.start * self.period

    def random(self, *name: str) -> Together:
        """The numbers of all its periods; each gets what it would get if it were drawn alone."""
        return Together([self.batch.at(number).random(*name) for number in self.numbers])

    def by_period(self, rows: Tensor) -> Tensor:
        """Rows of this process (periods · B, ...) as (periods, B, ...)."""
        count = len(self.numbers)
        return rows.view(count, len(rows) // count, *rows.shape[1:])


def periods_together(source: DrawnAhead, batch: Batch) -> int:
    """How many periods a chunk has: as many as it takes to draw `ahead.rows` rows, and as the memory holds."""
    held = batch.rows * source.row_bytes / batch.world
    return max(min(batch.ahead.rows // batch.rows, math.floor(min(batch.ahead.memory / held, 2**31))), 1)


def chunk_steps(source: object, batch: Batch) -> int:
    """The steps that a whole chunk of a source serves; 1 for a source that does not draw ahead."""
    return source.period * periods_together(source, batch) if hasattr(source, "period") else 1


def check_memory(source: object, batch: Batch) -> None:
    """Refuse a source of which not even one period fits into the memory that may be held."""
    if hasattr(source, "period") and (held := batch.rows * source.row_bytes / batch.world) > batch.ahead.memory:
        raise RequestError(
            f"{source.name} of batch {batch.rows} hold {megabytes(held)} at once, and engine.dream_memory is "
            f"{megabytes(batch.ahead.memory)}; raise it, or lower teacher_steps or training.batch."
        )


class Stock:
    """What was drawn for the chunk in use: items, and which of them each row of a batch takes at each step.

    items: tensors (items, B, ...).  order: int64 (steps, B).
    """

    def __init__(self) -> None:
        self.place: tuple = ()
        self.items: tuple[Tensor, ...] = ()
        self.order = torch.empty(0)

    def take(
        self, chunk: Chunk, teacher: nn.Module, draw: Callable[[Chunk], tuple[tuple[Tensor, ...], Tensor]]
    ) -> tuple[Tensor, ...]:
        """This process's rows of the present step, (B, ...) of each kind of item; `draw` is asked once a chunk."""
        if chunk.place != self.place:
            self.place, self.items = (), ()  # make room before the next is drawn
            passes = teacher.passes
            self.items, self.order = draw(chunk)
            if chunk.step:  # a run that goes on inside a chunk draws it again, and has paid for it before
                teacher.passes = passes
            self.place = chunk.place
        took = self.order[chunk.step]
        columns = torch.arange(len(took), device=took.device)
        here = len(range(chunk.batch.size)[chunk.batch.mine])  # a batch that is not whole leaves rows over
        return tuple(item[took, columns][:here] for item in self.items)
