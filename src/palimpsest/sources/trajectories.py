"""Points on a frozen denoiser's own sampling paths, with what it said there: one pass an input, whatever a path's length."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Numbers
from palimpsest.core.term import NOISED
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.samplers import check_steps
from palimpsest.diffusion.trajectories import Point, levels_of, spread_times, stratified_times, trajectory
from palimpsest.sources.ahead import FLOAT, Chunk, Stock

SOLVER = 6  # copies of a picture that a path takes beside its points while it goes on
MOST = 0.95  # share of the inputs that may be noised anew


@dataclass(frozen=True)
class Trajectories:
    """Every point of a path of `steps` passes is an input once, and its answer, already given, travels with it.

    denoiser: the teacher; None before there is one.
    renoised: the share of the inputs that are the same paths' ends, noised anew and asked about; also one pass each. It
        is rounded to whole inputs a path: a quarter of paths of ten passes is 3 of 13.
    sampler: "ddim", "heun" (which asks twice at each level but the first, so that it has half as many levels),
        "dpmsolver++", or "fresh", which noises the promised picture anew at each step.
    stratified: levels are drawn for each path, one in each of as many equal slices as it has levels; otherwise they are
        the sampler's usual. The highest one is drawn where hardly any picture is left, so that short paths leave a gap
        below it: of a process with zero terminal SNR and 1,000 levels, those from 800 to 847 for 5 levels a path, none
        from 7 on.
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
    stock: Stock = field(default_factory=Stock, init=False, compare=False, repr=False)
    gives: ClassVar[frozenset[str]] = frozenset({NOISED})
    is_synthetic: ClassVar[bool] = True
    window: ClassVar[int] = 0
    together: ClassVar[bool] = True

    def __post_init__(self) -> None:
        levels_of(self.sampler, self.steps)
        if not 0 <= self.renoised <= MOST:
            raise RequestError(
                f"renoised is {self.renoised:g}, and the share of inputs that are noised anew goes from 0 to {MOST}; for "
                "all of them use generative_distillation with reuse."
            )
        if self.renoised and not self.again:
            raise RequestError(
                f"paths of {self.steps} passes cannot have a share of {self.renoised:g} noised anew, which is no whole input; one of "
                f"them is {1 / (self.steps + 1):.2g}. Give 0, or about as much or more."
            )
        if self.denoiser is not None:
            check_steps(self.steps, self.denoiser.process.steps)
            if not self.clamp and self.denoiser.process.needs_clamp:
                raise RequestError(
                    "clamp = false was asked of a process whose last level has almost no signal, where paths would leave "
                    "every range; leave clamp = true, or set diffusion.zero_terminal_snr = false."
                )

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
        return (input_and_answer * copies * self.period + SOLVER) * FLOAT * math.prod(self.denoiser.shape)

    @torch.no_grad()
    def draw(self, batch: Batch) -> Noised:
        """Inputs at mixed noise levels, with the teacher's answers."""
        x_t, t, said = self.stock.take(self, batch)
        return Noised(x_t, t, answers={self.denoiser: said}, total=batch.size)

    @torch.no_grad()
    def pictures(self, batch: Batch) -> Images:
        """Where paths end, as pictures in [-1, 1]."""
        return Images(self.follow(batch.random(self.name), batch.size)[1], total=batch.size)

    def follow(self, random: Numbers, rows: int) -> tuple[list[Point], Tensor]:
        """The points of new paths, and their ends. rows: of all processes."""
        teacher, levels = self.denoiser, levels_of(self.sampler, self.steps)
        noise = random.normal(rows, *teacher.shape)
        if self.stratified:
            times = stratified_times(teacher.process, levels, random, rows)
        else:
            times = spread_times(teacher.process, levels, len(noise))
        clip = teacher.clip_range if self.clamp else None
        how = {"solver": self.sampler, "clip": clip, "fresh": lambda: random.normal(rows, *teacher.shape)}
        return trajectory(teacher.noise, noise, teacher.process, times, self.steps, **how)

    def imagine(self, chunk: Chunk) -> tuple[Tensor, ...]:
        """The inputs of all paths of some periods, their noise levels, and what was said about them."""
        random = chunk.random(self.name)
        points, end = self.follow(random, chunk.rows)
        for _ in range(self.again):
            noised = self.denoiser.process.noised(Images(end, total=chunk.rows), random)
            points.append((noised.x_t, noised.t, self.denoiser.noise(noised.x_t, noised.t)))
        kinds = zip(*points, strict=True)
        return tuple(torch.stack([chunk.by_period(part) for part in kind], 1).flatten(0, 1) for kind in kinds)

    def order(self, chunk: Chunk, items: Tensor) -> Tensor:
        """In each period the points of its paths, each row's shuffled."""
        random = chunk.random(self.name, "order")
        turns = torch.stack([chunk.by_period(random.uniform(chunk.rows)) for _ in range(self.period)], 1).argsort(1)
        first = self.period * torch.arange(len(chunk.numbers), device=items.device)[:, None, None]
        return (first + turns).flatten(0, 1)
