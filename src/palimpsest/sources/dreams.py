"""What a frozen denoiser imagines: whole pictures, or pictures stopped half-way."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised, class_numbers
from palimpsest.core.random import Numbers
from palimpsest.core.term import IMAGES, LABELS, NOISED, TRUE_NOISE
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.guidance import Guide
from palimpsest.diffusion.samplers import COPIES, Sampler, check_steps, halfway
from palimpsest.sources.ahead import FLOAT, Chunk, Stock, in_turn

WINDOW = 8  # reused dreams that a row of the batch chooses from


@dataclass(frozen=True)
class Dreams:
    """Pictures that a frozen denoiser samples (generative replay, Shin et al. 2017).

    denoiser: the teacher; None before there is one.
    reuse: r, how often each picture is drawn. Once, and new ones in every step, is what the literature does. Row i of the
        batches of 8 r steps takes each of its 8 dreams r times, in random order.
    classes: of which a conditional teacher dreams, each as likely as the others; they are the dreams' labels. None: the
        teacher is not told of classes.
    guide: bends what a conditional teacher dreams; one that is not frozen needs `Refreshed` around it.
    """

    denoiser: Denoiser | None
    sampler: Sampler
    reuse: int = 1
    classes: tuple[int, ...] | None = None
    guide: Guide | None = None
    name: str = "dreams"
    stock: Stock = field(default_factory=Stock, init=False, compare=False, repr=False)
    is_synthetic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.reuse < 1:
            raise RequestError(f"reuse is {self.reuse}, and a dream is used once or more often; give a number from 1.")
        if self.denoiser is not None:
            check_steps(self.sampler.steps, self.denoiser.process.steps)

    @property
    def exists(self) -> bool:
        return self.denoiser is not None

    @property
    def gives(self) -> frozenset[str]:
        return frozenset({IMAGES, TRUE_NOISE} if self.classes is None else {IMAGES, TRUE_NOISE, LABELS})

    @property
    def asked(self) -> tuple[nn.Module, ...]:
        """The networks whose passes a dream takes."""
        return (self.denoiser, *self.guide.asked) if self.guide else (self.denoiser,)

    @property
    def period(self) -> int:
        return self.reuse

    @property
    def window(self) -> int:
        return WINDOW if self.reuse > 1 else 0

    @property
    def together(self) -> bool:
        return self.sampler.draws_by_row

    @property
    def row_bytes(self) -> int:
        return self.sampler.copies * FLOAT * math.prod(self.denoiser.shape)

    @torch.no_grad()
    def draw(self, batch: Batch) -> Images:
        """Samples in [-1, 1], as the sampler leaves them, not rounded; their classes where they were asked for."""
        return Images(*self.stock.take(self, batch), total=batch.size)

    @torch.no_grad()
    def pictures(self, batch: Batch) -> Images:
        """New samples, past the stock."""
        return Images(*self.sample(batch.random(self.name), batch.size), total=batch.size)

    def sample(self, random: Numbers, rows: int) -> tuple[Tensor, ...]:
        """New pictures, and their classes where there are any. rows: of all processes."""
        noise = random.normal(rows, *self.denoiser.shape)
        if self.classes is None:
            return (self.sampler(self.denoiser, noise, random, total=rows),)
        known = class_numbers(self.classes, noise.device)
        y = known[random.integers(len(known), rows)]
        x = self.sampler(self.denoiser, noise, random, y=y, total=rows, guide=self.guide)
        if self.guide:  # the gradient's way back, which is counted anyway of a classifier in training
            for network in self.guide.gone_back_through(self.denoiser):
                network.passes += 0 if network.training else 2 * self.sampler.steps * len(x)
        return x, y

    def imagine(self, chunk: Chunk) -> tuple[Tensor, ...]:
        """A picture for each row of each period, and its class where there is one."""
        return tuple(chunk.by_period(kind) for kind in self.sample(chunk.random(self.name), chunk.rows))

    def order(self, chunk: Chunk, items: Tensor) -> Tensor:
        """One picture after the other; where they are used again, as often all of them, shuffled."""
        if self.reuse == 1:
            return in_turn(chunk, items)
        random = chunk.random(self.name, "order")
        shuffled = [chunk.by_period(random.uniform(chunk.rows)).argsort(0) for _ in range(self.reuse)]
        return torch.cat(shuffled)


@dataclass(frozen=True)
class Halfway:
    """Samples that a frozen denoiser stops denoising at a uniformly drawn noise level: never clean, never noised again.

    The partial generation of the published code of 2311.14028 (not in the paper).
    """

    denoiser: Denoiser | None
    steps: int
    name: str = "halfway"
    stock: Stock = field(default_factory=Stock, init=False, compare=False, repr=False)
    gives: ClassVar[frozenset[str]] = frozenset({NOISED})
    period: ClassVar[int] = 1
    window: ClassVar[int] = 0
    together: ClassVar[bool] = True
    order = staticmethod(in_turn)

    def __post_init__(self) -> None:
        if self.denoiser is not None:
            check_steps(self.steps, self.denoiser.process.steps)

    @property
    def exists(self) -> bool:
        return self.denoiser is not None

    @property
    def row_bytes(self) -> int:
        return COPIES * FLOAT * math.prod(self.denoiser.shape)

    @torch.no_grad()
    def draw(self, batch: Batch) -> Noised:
        """Inputs on the teacher's own sampling path, each at its own noise level."""
        x_t, t = self.stock.take(self, batch)
        return Noised(x_t, t, total=batch.size)

    def imagine(self, chunk: Chunk) -> tuple[Tensor, Tensor]:
        """An input and its noise level for each row of each step."""
        random, teacher = chunk.random(self.name), self.denoiser
        noise = random.normal(chunk.rows, *teacher.shape)
        stop = random.integers(teacher.process.steps, chunk.rows)
        x_t = halfway(teacher.noise, noise, teacher.process, self.steps, stop, clip=teacher.clip_range)
        return chunk.by_period(x_t), chunk.by_period(stop)
