"""Sampling paths with every point on them: where a sampler asks a denoiser for the noise, and what it was told.

Each sample goes through falling noise levels of its own, so that paths of few steps reach all levels.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from palimpsest.core.errors import unknown
from palimpsest.core.random import Numbers
from palimpsest.diffusion.process import Process
from palimpsest.diffusion.steps import NoiseOf, check_steps, clamped, ddim_step, timesteps

Point = tuple[Tensor, Tensor, Tensor]  # x_t (B, C, H, W), t int64 (B,), the noise that it was said to hold


def spread_times(process: Process, steps: int, rows: int) -> Tensor:
    """The usual levels of a sampler ("trailing"), the same for all rows: int64 (steps, rows), falling."""
    return trailing(process.steps, steps, process.power.device)[:, None].expand(-1, rows)


@lru_cache(maxsize=4)  # copying them to a device waits for it
def trailing(total: int, steps: int, device: torch.device) -> Tensor:
    """The levels int64 (steps,) on a device."""
    return torch.tensor(timesteps(total, steps, "trailing"), device=device)


def stratified_times(process: Process, steps: int, random: Numbers, rows: int) -> Tensor:
    """One uniform level in each of `steps` equal slices of 0 ... T − 1 for each row: int64 (steps, rows here), falling.

    steps: from 1 to T, or RequestError.  rows: of the global batch. Sampling begins with pure noise, so the first level is one of those in its slice where
    hardly any picture is left (√ᾱ ≤ 0.02), or T − 1 where there is none.
    """
    check_steps(steps, process.steps)
    slices = list(pairwise(process.steps * number // steps for number in range(steps + 1)))
    slices[-1] = (max(slices[-1][0], process.first_pure), process.steps)
    return torch.stack([low + (random.uniform(rows) * (high - low)).long() for low, high in reversed(slices)])


class Path:
    """A path in the making: what was asked on it, and how it moves.

    clip: clean pictures that are promised on the way are clamped to [−clip, clip]; None leaves them.
    fresh: gives new noise of the path's shape at each call.
    """

    def __init__(
        self, noise_of: NoiseOf, process: Process, clip: float | None, fresh: Callable[[], Tensor] | None
    ) -> None:
        self.noise_of, self.process, self.clip, self.fresh = noise_of, process, clip, fresh
        self.points: list[Point] = []

    def ask(self, x: Tensor, t: Tensor) -> Tensor:
        """The noise in x at levels t, which is noted down as it was said."""
        said = self.noise_of(x, t)
        self.points.append((x, t, said))
        return said

    def promised(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """The clean pictures that are left when the noise is taken away."""
        return clamped(self.process.clean(x, noise, t), self.clip)

    def move(self, x: Tensor, noise: Tensor, now: Tensor, then: Tensor) -> Tensor:
        """Along the noise, which is known, from one level to another."""
        return ddim_step(lambda x, t: noise, x, self.process, now, then, clip=self.clip)


def ddim_path(path: Path, x: Tensor, times: Tensor, passes: int) -> Tensor:
    """Each step follows the noise at its beginning."""
    for now, then in pairwise(times):
        x = path.move(x, path.ask(x, now), now, then)
    return path.promised(x, path.ask(x, times[-1]), times[-1])


def heun_path(path: Path, x: Tensor, times: Tensor, passes: int) -> Tensor:
    """Each step follows the mean of the noise at its beginning and at its provisional end (Karras et al. 2022, alg. 1).

    It asks twice a step. After an even number of passes the last step ends with what was said at its provisional end.
    """
    said = path.ask(x, times[0])
    for now, then in pairwise(times):
        there = path.ask(path.move(x, said, now, then), then)
        x = path.move(x, (said + there) / 2, now, then)
        said = path.ask(x, then) if len(path.points) < passes else there
    return path.promised(x, said, times[-1])


def dpmsolver_path(path: Path, x: Tensor, times: Tensor, passes: int) -> Tensor:
    """DPM-Solver++ of second order from the two latest answers (Lu et al. 2022, arXiv 2211.01095, alg. 2).

    With λ = ln(√ᾱ/σ), h = λ' − λ and h₀ the h of the step before:
    x' = σ'/σ x − √ᾱ' (e^(−h) − 1) D,    D = x̂₀ + h/(2 h₀) (x̂₀ − x̂₀ of the step before)
    """
    clean, step = None, None
    for now, then in pairwise(times):
        before, step_before = clean, step
        clean = path.promised(x, path.ask(x, now), now)
        (signal, sigma), (signal_then, sigma_then) = path.process.levels(now), path.process.levels(then)
        step = (signal_then / sigma_then).log() - (signal / sigma).log()
        if before is None:
            ahead = clean
        else:  # levels that lie on the floor of ᾱ are no step apart
            bend = torch.where(step_before > 0, step / (2 * step_before), 0)
            ahead = clean + bend * (clean - before)
        x = sigma_then / sigma * x - signal_then * torch.expm1(-step) * ahead
    return path.promised(x, path.ask(x, times[-1]), times[-1])


def fresh_path(path: Path, x: Tensor, times: Tensor, passes: int) -> Tensor:
    """Each step noises the promised picture anew (Song et al. 2023, arXiv 2303.01469, alg. 1: multistep sampling).

    x' = √ᾱ' x̂₀ + σ' z: the points of a path share a picture, and no noise.
    """
    for now, then in pairwise(times):
        signal, sigma = path.process.levels(then)
        x = signal * path.promised(x, path.ask(x, now), now) + sigma * path.fresh()
    return path.promised(x, path.ask(x, times[-1]), times[-1])


SOLVERS: dict[str, Callable[[Path, Tensor, Tensor, int], Tensor]] = {
    "ddim": ddim_path,
    "heun": heun_path,
    "dpmsolver++": dpmsolver_path,
    "fresh": fresh_path,
}


def levels_of(solver: str, passes: int) -> int:
    """How many noise levels a path of so many passes goes through. Refuses an unknown solver."""
    if solver not in SOLVERS:
        raise unknown("sampler of trajectories", solver, SOLVERS)
    return passes // 2 + 1 if solver == "heun" else passes


def trajectory(
    noise_of: NoiseOf,
    x: Tensor,
    process: Process,
    times: Tensor,
    passes: int,
    *,
    solver: str = "ddim",
    clip: float | None = 1.0,
    fresh: Callable[[], Tensor] | None = None,
) -> tuple[list[Point], Tensor]:
    """The points of a path that begins with noise x (B, C, H, W), one for each pass, and the pictures it ends with.

    noise_of: called once a pass with (x_t, t).  times: int64 (levels, B), falling; `levels_of` says how many, and refuses
    an unknown solver.  clip: clean pictures on the way are clamped to [−clip, clip]; None leaves them.  fresh: gives new noise
    like x at each call, which the solver "fresh" asks for.
    """
    path = Path(noise_of, process, clip, fresh)
    end = SOLVERS[solver](path, x, times, passes)
    return path.points, end
