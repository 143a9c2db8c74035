"""Points on a frozen denoiser's own sampling paths, with what it said there: one pass an input, whatever a path's length."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Together
from palimpsest.core.term import NOISED
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.samplers import check_steps
from palimpsest.diffusion.trajectories import Point, levels_of, spread_times, stratified_times, trajectory
from palimpsest.sources.ahead import FLOAT, Chunk, Stock

MOST = 0.95  # share of the inputs that may be noised anew


@dataclass(frozen=True)
class Trajectories:
    """Every point of a path of `steps` passes is an input once, and its answer, already given, travels with it.

    denoiser: the teacher; None before there is one.
    renoised: the share of the inputs that are the same paths' ends, noised anew and asked about; also one pass each.
    sampler: "ddim", "heun" or "dpmsolver++".
    stratified: levels are drawn for each path, one in each of `steps` equal slices; otherwise they are the sampler's usual.
    clamp: clean pictures that are promised on the way are clamped as in sampling.

    A period is as many steps as a path has inputs. Row i of the batches of a period takes those of path i in random
    order, so that each batch holds all noise levels, and which input comes when depends on the address alone.
    """

    denoiser: Denoiser | None
    steps: int
    renoised: float = 0.0
    sampler: str = "ddim"
    stratified: bool = True
    clamp: bool = True
    name: str = "trajectories"
    stock: Stock = field(default_factory=Stock, compare=False, repr=False)
    gives: ClassVar[frozenset[str]] = frozenset({NOISED})
    is_synthetic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        levels_of(self.sampler, self.steps)
        if not 0 <= self.renoised <= MOST:
            raise RequestError(
                f"renoised is {self.renoised:g}, and the share of inputs that are noised anew goes from 0 to {MOST}; for "
                "all of them use generative_distillation with reuse."
            )
        if self.denoiser is not None:
            check_steps(self.steps, self.denoiser.process.steps)

    @property
    def exists(self) -> bool:
        return self.denoiser is not None

    @property
    def again(self) -> int:
        """How often the end of a path is noised anew."""
        return round(self.steps * self.renoised / (1 - self.renoised))

    @property
    def period(self) -> int:
        return self.steps + self.again

    @property
    def row_bytes(self) -> int:
        input_and_answer, copies = 2, 2  # the second copy while they are put in order
        return input_and_answer * copies * FLOAT * math.prod(self.denoiser.shape) * self.period

    @torch.no_grad()
    def draw(self, batch: Batch) -> Noised:
        """Inputs at mixed noise levels, with the teacher's answers."""
        x_t, t, said = self.stock.take(Chunk.of(self, batch), self.denoiser, self.imagine)
        return Noised(x_t, t, answers={self.denoiser: said}, total=batch.size)

    @torch.no_grad()
    def pictures(self, batch: Batch) -> Images:
        """Where paths end, as pictures in [-1, 1]."""
        return Images(self.follow(batch.random(self.name), batch.size)[1], total=batch.size)

    def follow(self, random: Together, rows: int) -> tuple[list[Point], Tensor]:
        """The points of new paths, and their ends. rows: of all processes."""
        teacher, levels = self.denoiser, levels_of(self.sampler, self.steps)
        noise = random.normal(rows, *teacher.shape)
        if self.stratified:
            times = stratified_times(teacher.process, levels, random, rows)
        else:
            times = spread_times(teacher.process, levels, len(noise))
        clip = teacher.clip_range if self.clamp else None
        return trajectory(teacher.noise, noise, teacher.process, times, self.steps, solver=self.sampler, clip=clip)

    def imagine(self, chunk: Chunk) -> tuple[tuple[Tensor, ...], Tensor]:
        """The inputs of all paths of a chunk with what was said about them, and when each is used."""
        random, count = chunk.random(self.name), len(chunk.numbers)
        points, end = self.follow(random, chunk.rows)
        for _ in range(self.again):
            noised = self.denoiser.process.noised(Images(end, total=chunk.rows), random)
            points.append((noised.x_t, noised.t, self.denoiser.noise(noised.x_t, noised.t)))
        items = tuple(torch.stack([chunk.by_period(part) for part in parts], 1) for parts in zip(*points, strict=True))
        order = chunk.random(self.name, "order")
        turns = torch.stack([chunk.by_period(order.uniform(chunk.rows)) for _ in points], 1).argsort(1)
        first = self.period * torch.arange(count, device=end.device)[:, None, None]
        return tuple(item.flatten(0, 1) for item in items), (first + turns).flatten(0, 1)
