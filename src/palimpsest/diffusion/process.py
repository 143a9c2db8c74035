"""The forward process: how a picture turns into noise, level by level.

    x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε

(DDPM, Ho et al. 2020, arXiv 2006.11239, eq. 4).
"""

import math

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Numbers
from palimpsest.diffusion.options import DiffusionOptions

# No level has less signal power than this. At ᾱ = 0, x₀ = (x_t − ε)/0. Every level is held at the floor, not only the
# last one: after rescaling to zero terminal SNR the level before the last has 4·10⁻⁹, and were the last one alone
# lifted above it, signal would grow with t and an ancestral step would amplify x.
FLOOR = 2.0**-24
PURE = 0.02  # where √ᾱ is no more than this, a noised picture is pure noise to the eye
CLEAN = -1  # the index of the clean picture in every table of a process
GRID = 2**24  # a multiple of 1/GRID in [0, 1] is exact in float32, and so is 1 minus it


class Process(nn.Module):
    """The noise levels of a diffusion: what is left of the picture, and how much noise there is.

    alphas_bar: ᾱ (T,), falling, each below 1; values under 2⁻²⁴ are raised to it (up to float rounding).

    The tables `power` (ᾱ), `signal` (√ᾱ) and `sigma` (√(1 − ᾱ)) are float32 (T + 1,) on the module's device: entry t
    is noise level t, and the last is the clean picture (1, 1, 0), so that index −1 means "clean".
    first_pure: the first level that is as good as pure noise (√ᾱ ≤ 0.02), T − 1 where there is none.
    Raises RequestError where ᾱ is no such schedule.
    """

    def __init__(self, alphas_bar: Tensor) -> None:
        super().__init__()
        self._betas = betas_of(alphas_bar)
        power = torch.cat([torch.cumprod(1 - self._betas, 0), torch.ones(1)])
        self.steps = len(self._betas)
        # x₀ = (x_t − σ ε)/√ᾱ multiplies an error of ε by 1/√ᾱ: beyond a thousand, sampling without a clamp diverges.
        self.needs_clamp = bool(power[:-1].min() < 1e-6)
        self.first_pure = min(int((power[:-1].sqrt() > PURE).sum()), self.steps - 1)
        self.register_buffer("power", power, persistent=False)
        self.register_buffer("signal", power.sqrt(), persistent=False)
        self.register_buffer("sigma", (1 - power).sqrt(), persistent=False)

    @property
    def alphas_bar(self) -> Tensor:
        """ᾱ float32 (T,), bit for bit what diffusers computes from `betas`."""
        return self.power[:-1]

    @property
    def betas(self) -> Tensor:
        """β float32 (T,), on the host: the `trained_betas` of a diffusers scheduler with the same noise levels."""
        return self._betas

    def levels(self, t: Tensor | int) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1 − ᾱ_t), each (B, 1, 1, 1) for t int64 (B,) on the device, or (1, 1, 1, 1) for one number."""
        return self.signal[t].view(-1, 1, 1, 1), self.sigma[t].view(-1, 1, 1, 1)

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor | int) -> Tensor:
        """x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε for pictures and noise (B, C, H, W)."""
        signal, sigma = self.levels(t)
        return signal * x0 + sigma * noise

    def clean(self, x_t: Tensor, noise: Tensor, t: Tensor | int) -> Tensor:
        """x̂₀ = (x_t − √(1 − ᾱ_t) ε) / √ᾱ_t: the picture that is left when `noise` (B, C, H, W) is taken away."""
        signal, sigma = self.levels(t)
        return (x_t - sigma * noise) / signal

    def noised(self, images: Images, random: Numbers) -> Noised:
        """The pictures at levels drawn uniformly from {0, ..., T − 1}, with normal noise; keeps y and total."""
        t = random.integers(self.steps, images.total)
        noise = random.normal(images.total, *images.x.shape[1:])
        return Noised(self.add_noise(images.x, noise, t), t, images.y, noise, total=images.total)


def betas_of(alphas_bar: Tensor) -> Tensor:
    """β float32 (T,) on the host whose cumulative product of 1 − β is ᾱ, floored.

    Each 1 − β is rounded to the grid on which float32 holds both it and β exactly, and is chosen against the product
    so far, so that errors do not add up, and ᾱ that came from float32 betas comes back with the same bits.
    """
    wanted = alphas_bar.detach().double().cpu().clamp(min=FLOOR)
    if wanted.dim() != 1 or not len(wanted) or not (wanted < 1).all() or not (wanted.diff() <= 0).all():
        raise RequestError(
            "a noise schedule was given whose signal ᾱ does not fall from level to level below 1; "
            "give one number for each level, each less than 1 and none greater than the one before it."
        )
    betas, product = [], 1.0
    for target in wanted.tolist():
        alpha = min(round(target / product * GRID), GRID) / GRID
        betas.append(1 - alpha)
        product *= alpha
    return torch.tensor(betas, dtype=torch.float32)


def linear(steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> Tensor:
    """ᾱ float32 (steps,) of β growing linearly from `start` to `end` (DDPM)."""
    return torch.cumprod(1 - torch.linspace(start, end, steps, dtype=torch.float32), 0)


def cosine(steps: int = 1000) -> Tensor:
    """ᾱ float32 (steps,) ∝ cos²((t/T + 0.008)/1.008 · π/2), each β at most 0.999 (Nichol and Dhariwal 2021, eq. 17)."""
    left = [math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(steps + 1)]
    betas = [min(1 - after / before, 0.999) for before, after in zip(left, left[1:], strict=False)]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float32), 0)


def rescale_zero_terminal_snr(alphas_bar: Tensor) -> Tensor:
    """ᾱ (T,) with √ᾱ shifted and scaled: the last becomes 0 and the first stays (Lin et al. 2305.08891, alg. 1)."""
    signal = alphas_bar.sqrt()
    first, last = signal[0], signal[-1]
    return ((signal - last) * (first / (first - last))) ** 2


def make_process(options: DiffusionOptions) -> Process:
    """The process that an experiment asks for."""
    if options.schedule == "cosine":
        alphas_bar = cosine(options.steps)
    else:
        alphas_bar = linear(options.steps, options.beta_start, options.beta_end)
    return Process(rescale_zero_terminal_snr(alphas_bar) if options.zero_terminal_snr else alphas_bar)
