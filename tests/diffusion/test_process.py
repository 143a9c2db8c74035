"""Laws of the forward process."""

import copy

import pytest
import torch
from pydantic import ValidationError

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.core.random import Random, generator
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.process import FLOOR, Process, cosine, linear, make_process, rescale_zero_terminal_snr

SCHEDULES = [(schedule, zero) for schedule in ("linear", "cosine") for zero in (True, False)]


def process(schedule: str = "linear", zero: bool = True, steps: int = 1000) -> Process:
    return make_process(DiffusionOptions(schedule=schedule, zero_terminal_snr=zero, steps=steps))


def test_published_noise_levels():
    """Linear schedule, plain and rescaled to zero terminal SNR: ᾱ as measured from the official code, to 3 digits."""
    published = {0: (0.99990, 0.99990), 99: (0.89702, 0.89638), 499: (0.07859, 0.07603), 899: (2.75e-4, 1.06e-4)}
    plain, rescaled = process(zero=False), process()
    for t, wanted in published.items():
        found = plain.alphas_bar[t].item(), rescaled.alphas_bar[t].item()
        assert found == pytest.approx(wanted, rel=5e-3)
    assert rescale_zero_terminal_snr(linear())[998].item() == pytest.approx(4.2e-9, rel=1e-2)
    assert rescale_zero_terminal_snr(linear())[999].item() == 0


@pytest.mark.parametrize(("schedule", "zero"), SCHEDULES)
@pytest.mark.parametrize("steps", [2, 10, 50, 1000])
def test_alphas_bar_is_the_product_of_the_betas_to_the_bit(schedule, zero, steps):
    """A scheduler with trained_betas = betas computes our ᾱ, and a process read back from ᾱ has the same betas."""
    made = process(schedule, zero, steps)
    assert made.betas.dtype == torch.float32 and (made.betas >= 0).all() and (made.betas < 1).all()
    assert torch.equal(made.alphas_bar, torch.cumprod(1.0 - made.betas, dim=0))
    again = Process(made.alphas_bar)
    assert torch.equal(again.betas, made.betas) and torch.equal(again.power, made.power)


@pytest.mark.parametrize(("schedule", "zero"), SCHEDULES)
def test_signal_never_grows_and_stays_above_the_floor(schedule, zero):
    """ᾱ falls from level to level, and no level is below 2⁻²⁴ (up to float rounding)."""
    made = process(schedule, zero)
    assert (made.alphas_bar.diff() <= 0).all()
    assert made.alphas_bar.min() >= FLOOR * (1 - 1e-5)
    assert made.needs_clamp == (1 / made.signal.min().item() > 1000)


def test_zero_terminal_snr_ends_on_the_floor():
    """The last level is 2⁻²⁴, and so is each level whose rescaled ᾱ lies below it."""
    tail = process().alphas_bar[-4:]
    assert torch.allclose(tail, torch.full((4,), FLOOR), rtol=1e-6, atol=0)


@pytest.mark.parametrize("alphas_bar", [linear(), cosine()[:-1]])
def test_a_schedule_without_extremes_is_kept(alphas_bar):
    assert torch.equal(Process(alphas_bar).alphas_bar, alphas_bar)


def test_the_last_entry_of_every_table_is_the_clean_picture():
    made = process(steps=10)
    assert made.steps == 10
    assert [table[-1].item() for table in (made.power, made.signal, made.sigma)] == [1, 1, 0]
    assert torch.allclose(made.signal**2 + made.sigma**2, torch.ones(11))
    assert not made.state_dict()


def test_every_table_follows_the_module_to_a_device():
    """Also in a copy, which must not share tables with the original."""
    made = process(steps=10)
    moved = copy.deepcopy(made).to("meta")
    assert {buffer.device.type for buffer in moved.buffers()} == {"meta"} and len(list(moved.buffers())) == 3
    assert {buffer.device.type for buffer in made.buffers()} == {"cpu"}


def test_clean_undoes_add_noise():
    made, random = process(zero=False), Random(generator("clean"))
    x0, noise, t = random.normal(6, 1, 4, 4), random.normal(6, 1, 4, 4), torch.tensor([0, 1, 200, 500, 800, 999])
    assert torch.allclose(made.clean(made.add_noise(x0, noise, t), noise, t), x0, atol=1e-4)
    one = made.add_noise(x0[3:4], noise[3:4], 500)
    assert torch.equal(one, made.add_noise(x0, noise, t)[3:4])


def test_noised_is_the_equation_of_the_drawn_numbers():
    """Levels first, then noise, from one generator; labels are kept."""
    made, images = process(), Images(torch.rand(5, 3, 4, 4), torch.arange(5))
    noised = made.noised(images, Random(generator("noised")))
    again = Random(generator("noised"))
    t, noise = again.integers(1000, 5), again.normal(5, 3, 4, 4)
    assert torch.equal(noised.t, t) and torch.equal(noised.noise, noise) and torch.equal(noised.y, images.y)
    ᾱ = made.alphas_bar[t].view(-1, 1, 1, 1)
    assert torch.allclose(noised.x_t, ᾱ.sqrt() * images.x + (1 - ᾱ).sqrt() * noise)


def test_two_processes_see_the_rows_of_one():
    made, x = process(), torch.rand(5, 1, 2, 2)
    whole = made.noised(Images(x), Random(generator("rows")))
    parts = [
        made.noised(Images(x[rows], total=5), Random(generator("rows"), rank, 2))
        for rank, rows in enumerate((slice(0, 2), slice(2, 5)))
    ]
    assert torch.equal(torch.cat([part.x_t for part in parts]), whole.x_t)
    assert [part.total for part in parts] == [5, 5]


def test_levels_are_uniform():
    """10,000 draws over 10 levels: each level within 4 standard deviations of its share."""
    t = process(steps=10).noised(Images(torch.zeros(10_000, 1, 1, 1)), Random(generator("uniform"))).t
    assert (t.bincount(minlength=10) - 1000).abs().max() < 4 * 30


@pytest.mark.parametrize(
    "alphas_bar",
    [torch.tensor([0.5, 0.6]), torch.tensor([1.0, 0.5]), torch.tensor([0.5, float("nan")]), torch.empty(0)],
    ids=["rising", "no noise", "nan", "empty"],
)
def test_a_schedule_that_does_not_fall_is_refused(alphas_bar):
    with pytest.raises(RequestError, match="does not fall"):
        Process(alphas_bar)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 1}, {"beta_end": 1e-5}, {"beta_start": 0}, {"schedule": "quadratic"}, {"clip_range": 0}, {"step": 10}],
)
def test_wrong_options_are_refused_by_name(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DiffusionOptions(**wrong)


def test_the_clamp_of_the_options():
    assert DiffusionOptions(clip_range=2).clamp == 2
    assert DiffusionOptions(clip=False).clamp is None
