"""Drawing ahead: what a frozen teacher gives does not depend on the student, so it is drawn for many steps at once.

A source says how long its period is, the steps that one batch's worth of drawing serves: 1 where each sample is used
once, r where it is used r times, N where it is a path of N points. A chunk is a few periods. Chunks start at multiples of
their length in the phase, so that a resumed run draws the same ones. Each period draws from its own address: how many are
drawn together decides the last bits of what they give and nothing else.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from palimpsest.core.batch import Ahead, Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.files import megabytes
from palimpsest.core.random import Numbers, Together

FLOAT, INDEX = 4, 8  # bytes


class DrawnAhead(Protocol):
    """A source that draws ahead.

    denoiser: the teacher.  period: steps that one batch's worth of drawing serves.
    row_bytes: what each row of a period takes at the highest, while it is drawn.
    window: periods of every chunk, where they are mixed; 0 leaves it to the engine.
    together: whether several periods may be drawn in one batch.
    """

    name: str
    denoiser: nn.Module | None
    period: int
    row_bytes: int
    window: int
    together: bool

    def imagine(self, chunk: "Chunk") -> tuple[Tensor, ...]:
        """The items of some periods, each kind (items, B, ...), period by period."""

    def order(self, chunk: "Chunk", items: Tensor) -> Tensor:
        """Which item (items, B, ...) each row of a batch takes at each step of a chunk, int64 (steps, B)."""


@dataclass(frozen=True)
class Chunk:
    """Periods that are drawn together. numbers: which.  period: steps of each.  batch: that of the present step.

    each: rows of a period, all processes together.
    """

    numbers: range
    period: int
    batch: Batch
    each: int

    @classmethod
    def of(cls, source: DrawnAhead, batch: Batch, length: int) -> "Chunk":
        """The chunk of `length` periods that the present step lies in.

        The last one of a phase is no longer than the phase. Samples that are used once are drawn for a short batch by
        itself, at its own size; those that serve several steps are drawn for whole batches, and leave some over.
        """
        number = batch.step // source.period
        begin, end = 0, math.ceil(batch.steps / source.period) if batch.steps else number + length
        if source.period == 1 and batch.epoch:
            begin = number - number % batch.epoch
            end = min(end, begin + batch.epoch - 1)
            if number == begin + batch.epoch - 1:
                return cls(range(number, number + 1), 1, batch, batch.size)
        first = number - (number - begin) % length
        return cls(range(first, min(first + length, end)), source.period, batch, batch.rows)

    @property
    def place(self) -> tuple:
        """What tells it from other chunks."""
        return self.batch.address[:-1], self.numbers, self.batch.rows, self.batch.rank, self.batch.world

    @property
    def rows(self) -> int:
        """Rows that are drawn, all processes together."""
        return len(self.numbers) * self.each

    @property
    def step(self) -> int:
        """The present step, counted from the chunk's first."""
        return self.batch.step - self.numbers.start * self.period

    def random(self, *name: str) -> Numbers:
        """The numbers of all its periods; each gets what it would get if it were drawn alone."""
        each = [self.batch.at(number).random(*name) for number in self.numbers]
        return each[0] if len(each) == 1 else Together(each)

    def by_period(self, rows: Tensor) -> Tensor:
        """Rows of this process (periods · B, ...) as (periods, B, ...)."""
        count = len(self.numbers)
        return rows.view(count, len(rows) // count, *rows.shape[1:])

    def parts(self, periods: int) -> Iterator["Chunk"]:
        """The same chunk in parts of so many periods."""
        for first in range(0, len(self.numbers), periods):
            yield replace(self, numbers=self.numbers[first : first + periods])


def lowered(ahead: Ahead, device: torch.device | str) -> AbstractContextManager:
    """The precision in which a teacher multiplies while it draws ahead."""
    own = ahead.precision == "bf16"
    return torch.autocast(torch.device(device).type, torch.bfloat16) if own else nullcontext()


def bytes_for(source: DrawnAhead, batch: Batch, periods: int) -> int:
    """What samples take at the highest while `periods` are drawn at once, beside a window of others that are held.

    Noise is drawn for the rows of all processes, period by period, before each keeps its own.
    """
    here, picture = rows_of_one(batch), FLOAT * math.prod(source.denoiser.shape)
    held = source.window * (picture + 3 * INDEX * source.period)  # with the order in which they are used
    of_all = batch.rows * picture if batch.world > 1 else 0
    return here * (held + periods * source.row_bytes) + of_all


def rows_of_one(batch: Batch) -> int:
    """The most rows of a batch that any process has."""
    return math.ceil(batch.rows / batch.world)


def at_once(source: DrawnAhead, batch: Batch) -> int:
    """How many periods are drawn in one batch: as many as the device likes, and as the memory holds.

    Raises RequestError where not even one fits into the memory.
    """
    memory, least, here = batch.ahead.memory, bytes_for(source, batch, 1), rows_of_one(batch)
    if least > memory:
        raise RequestError(
            f"drawing {source.name} for a batch of {here} takes {megabytes(least)}, and engine.dream_memory is "
            f"{megabytes(memory)}; raise it, or lower teacher_steps or training.batch."
        )
    live = any(parameter.requires_grad for parameter in source.denoiser.parameters())
    if live or not source.together:  # what reads a student in training is not drawn ahead
        return 1
    fitting = min(memory - bytes_for(source, batch, 0), 2**62) // (here * source.row_bytes)
    return max(min(batch.ahead.rows // here, int(fitting)), 1)


def draws_ahead(source: object) -> bool:
    """Whether a source draws ahead."""
    return isinstance(getattr(source, "stock", None), Stock)


def ahead_bytes(source: object, batch: Batch) -> int:
    """What a source's samples take at the highest while they are drawn ahead; 0 for other sources."""
    return bytes_for(source, batch, at_once(source, batch)) if draws_ahead(source) else 0


def chunk_steps(source: object, batch: Batch) -> int:
    """The steps that a chunk of a source serves, or a batch that is refreshed; 1 for other sources. Raises what `at_once` does."""
    if not draws_ahead(source):
        return getattr(source, "every", 1) or 1
    steps = source.period * (at_once(source, batch) if not source.window else source.window)
    return min(steps, batch.steps) if batch.steps else steps


class Stock:
    """What was drawn for the chunk in use."""

    def __init__(self) -> None:
        self.phase: tuple = ()
        self.length = 0
        self.place: tuple = ()
        self.items: tuple[Tensor, ...] = ()
        self.order = torch.empty(0, dtype=torch.int64)

    def take(self, source: DrawnAhead, batch: Batch) -> tuple[Tensor, ...]:
        """This process's rows of the present step, (B, ...) of each kind of item."""
        phase = batch.address[:-1], batch.rows, batch.world, batch.ahead
        if phase != self.phase:  # in each step it would be the same again
            self.phase, self.length = phase, source.window or at_once(source, batch)
        chunk = Chunk.of(source, batch, self.length)
        if chunk.place != self.place:
            self.fill(source, chunk)
        took = self.order[chunk.step]
        columns = torch.arange(len(took), device=took.device)
        here = len(range(batch.size)[batch.mine])  # a batch that is not whole leaves rows over
        return tuple(item[took, columns][:here] for item in self.items)

    def fill(self, source: DrawnAhead, chunk: Chunk) -> None:
        """Draw a chunk, in batches of what is drawn at once."""
        self.place, self.items = (), ()  # makes room
        asked = getattr(source, "asked", (source.denoiser,))
        passes = [network.passes for network in asked]
        with lowered(chunk.batch.ahead, chunk.batch.device):
            for part in chunk.parts(at_once(source, chunk.batch)):
                self.keep(source.imagine(part), part.numbers, chunk.numbers)
        self.order = source.order(chunk, self.items[0])
        if chunk.step:  # a run that goes on inside a chunk draws it again, and has paid for it before
            for network, before in zip(asked, passes, strict=True):
                network.passes = before
        self.place = chunk.place

    def keep(self, made: tuple[Tensor, ...], part: range, whole: range) -> None:
        """Put the items of some periods where they belong in the chunk; all of them, made at once, are kept as they are."""
        if len(part) == len(whole):
            self.items = made
            return
        each = len(made[0]) // len(part)  # items of a period
        self.items = self.items or tuple(kind.new_empty(each * len(whole), *kind.shape[1:]) for kind in made)
        first = each * (part.start - whole.start)
        for kept, kind in zip(self.items, made, strict=True):
            kept[first : first + len(kind)] = kind


def in_turn(chunk: Chunk, items: Tensor) -> Tensor:
    """The order int64 (steps, B) in which each row takes one item (items, B, ...) after the other."""
    return torch.arange(len(items), device=items.device)[:, None].expand(-1, items.shape[1])
