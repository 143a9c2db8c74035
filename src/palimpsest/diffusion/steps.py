"""One step of a sampler, and the times that the steps go through.

Every coefficient is read from the process's tables on the device by a host integer or a device tensor, so that no
step waits for the device. A time of −1 is the clean picture, the last entry of every table.
"""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.random import Numbers
from palimpsest.diffusion.denoiser import levels
from palimpsest.diffusion.process import CLEAN, Process

NoiseOf = Callable[[Tensor, Tensor], Tensor]  # (x (B, C, H, W), t int64 (B,)) -> ε (B, C, H, W)
SPACINGS = ("leading", "linspace", "trailing")


def check_steps(steps: int, total: int) -> None:
    """Refuses a number of steps that is not in 1..total."""
    if not 1 <= steps <= total:
        raise RequestError(f"{steps} sampling steps were asked of a process of {total} levels; ask for 1 to {total}.")


def timesteps(total: int, steps: int, spacing: str) -> list[int]:
    """The falling times of `steps` steps over `total` levels, spaced as diffusers does (Lin et al. 2023, table 2).

    For some numbers of steps (61 of 1000) rounding gives diffusers one "trailing" time too many, −1, at which the
    picture is already clean; it is left out here.
    """
    check_steps(steps, total)
    if spacing == "leading":
        times = np.arange(steps)[::-1] * (total // steps)
    elif spacing == "linspace":
        times = np.linspace(0, total - 1, steps).round()[::-1]
    elif spacing == "trailing":
        times = np.round(np.arange(total, 0, -total / steps))[:steps] - 1
    else:
        raise unknown("spacing", spacing, SPACINGS)
    return [int(time) for time in times]


def ddim_step(
    noise_of: NoiseOf,
    x: Tensor,
    process: Process,
    now: Tensor | int,
    then: Tensor | int,
    *,
    clip: float | None = 1.0,
    eta: float = 0.0,
    random: Numbers | None = None,
    total: int = 0,
) -> Tensor:
    """From level `now` to level `then`, each one number or int64 (B,) (one number where eta is above 0).

    x' = √ᾱ' x̂₀ + √(1 − ᾱ' − s²) ε + s z,    s² = η² (1 − ᾱ')/(1 − ᾱ) (1 − ᾱ/ᾱ')        (DDIM, eq. 12 and 16)
    """
    ε = noise_of(x, levels(now, x))
    x0 = clamped(process.clean(x, ε, now), clip)
    signal, sigma = process.levels(then)
    if eta == 0 or then == CLEAN:
        return signal * x0 + sigma * ε
    s = eta * variance(process, now, then).sqrt()
    z = drawn(random, x, total, "ddim with eta above 0")
    return signal * x0 + (1 - process.power[then] - s**2).clamp(min=0).sqrt() * ε + s * z


def ancestral_step(
    noise_of: NoiseOf,
    x: Tensor,
    process: Process,
    now: int,
    then: int,
    *,
    clip: float | None = 1.0,
    random: Numbers | None = None,
    total: int = 0,
) -> Tensor:
    """From level `now` to level `then`, as a draw from q(x' | x, x̂₀).

    x' = √ᾱ' β/(1 − ᾱ) x̂₀ + √(ᾱ/ᾱ') (1 − ᾱ')/(1 − ᾱ) x + √((1 − ᾱ')/(1 − ᾱ) β) z,    β = 1 − ᾱ/ᾱ'    (DDPM, eq. 6, 7)
    """
    ε = noise_of(x, levels(now, x))
    x0 = clamped(process.clean(x, ε, now), clip)
    before, after = process.power[now], process.power[then]
    β = 1 - before / after
    mean = after.sqrt() * β / (1 - before) * x0 + (before / after).sqrt() * (1 - after) / (1 - before) * x
    if then == CLEAN:
        return mean
    return mean + variance(process, now, then).sqrt() * drawn(random, x, total, "ddpm")


def clamped(x0: Tensor, clip: float | None) -> Tensor:
    """Predicted clean pictures, within [−clip, clip] where a range is given."""
    return x0 if clip is None else x0.clamp(-clip, clip)


def variance(process: Process, now: int, then: int) -> Tensor:
    """(1 − ᾱ')/(1 − ᾱ) (1 − ᾱ/ᾱ'), a scalar on the device: the variance of x' given x and x₀ (DDPM, eq. 7)."""
    before, after = process.power[now], process.power[then]
    return (1 - after) / (1 - before) * (1 - before / after)


def drawn(random: Numbers | None, x: Tensor, total: int, what: str) -> Tensor:
    """This process's rows (B, C, H, W) of fresh normal noise for the global batch."""
    if random is None:
        raise RequestError(f"{what} draws noise at each step and was given nothing to draw from; give it random=.")
    return random.normal(total or len(x), *x.shape[1:])
