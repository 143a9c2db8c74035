"""Laws of the samplers; that they equal diffusers' is tests/references/test_diffusers.py."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, generator
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.process import Process, make_process
from palimpsest.diffusion.samplers import SAMPLERS, SPACINGS, Sampler, ddim, ddpm, halfway, sample, timesteps

PICTURE = torch.linspace(-1, 1, 16).view(1, 1, 4, 4)
ZERO = DiffusionOptions()
COSINE = DiffusionOptions(schedule="cosine", zero_terminal_snr=False)
PLAIN = DiffusionOptions(zero_terminal_snr=False)


def random(name: str = "samplers", rank: int = 0, world: int = 1) -> Random:
    return Random(generator(name), rank, world)


def noise(count: int = 3) -> torch.Tensor:
    return random("noise").normal(count, 1, 4, 4)


def wavy(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Some smooth function of picture and time, as a network is."""
    return torch.sin(1.3 * x + 0.01 * t.view(-1, 1, 1, 1))


def knows(process: Process):
    """The perfect denoiser of a data set of one picture."""

    def noise_of(x, t):
        signal, sigma = process.levels(t)
        return (x - signal * PICTURE) / sigma

    return noise_of


@pytest.mark.parametrize("options", [ZERO, COSINE, PLAIN], ids=["zero", "cosine", "plain"])
@pytest.mark.parametrize("name", [*SAMPLERS, "DDIMScheduler", "DPMSolverSinglestepScheduler", "HeunDiscreteScheduler"])
def test_the_perfect_denoiser_of_one_picture_generates_it(options, name):
    process = make_process(options)
    for steps in (2, 10, 50):
        made = sample(name, knows(process), noise(), process, steps, random=random())
        assert torch.allclose(made, PICTURE.expand(3, 1, 4, 4), atol=1e-4)


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "LMSDiscreteScheduler"])
def test_schedulers_in_scaled_coordinates_generate_it_too(name):
    """They start from init_noise_sigma times the noise and scale what the network sees."""
    process = make_process(PLAIN)
    made = sample(name, knows(process), noise(), process, 10, random=random())
    assert torch.allclose(made, PICTURE.expand(3, 1, 4, 4), atol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("options", [ZERO, COSINE], ids=["zero", "cosine"])
def test_pure_noise_seen_through_stays_finite_and_bounded(name, options):
    """x equals ε at the last level, where stock zero-SNR schedulers divide 0 by 0."""
    process = make_process(options)
    for steps in (1, 2, 10, 50):
        made = sample(name, lambda x, t: x, noise(), process, steps, random=random())
        assert made.isfinite().all() and made.abs().max() < 10


def test_trailing_times_as_published():
    assert timesteps(1000, 2, "trailing") == [999, 499]
    assert timesteps(1000, 10, "trailing") == list(range(999, 0, -100))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("total", [7, 100, 1000])
def test_times_fall_within_the_process(spacing, total):
    """For every number of steps, among them those for which diffusers adds a trailing time of −1 (61 of 1000)."""
    for steps in range(1, total + 1):
        times = timesteps(total, steps, spacing)
        assert len(times) == steps and times[0] < total and times[-1] >= 0
        assert all(before > after for before, after in zip(times, times[1:], strict=False))


def test_as_many_steps_as_levels_visit_every_level():
    for spacing in SPACINGS:
        assert timesteps(20, 20, spacing) == list(range(19, -1, -1))


def test_halfway_to_the_first_level_is_the_noise_itself():
    process, x = make_process(ZERO), noise()
    stop = torch.full((3,), 999)
    assert torch.equal(halfway(wavy, x, process, 5, stop), x)


def test_halfway_to_one_level_for_all_is_plain_ddim_over_the_same_times():
    """Nine parts from 999 to 99 are the first nine of ten trailing steps."""
    process, seen = make_process(ZERO), []

    def recorded(x, t):
        seen.append(x)
        return wavy(x, t)

    ddim(recorded, noise(), process, 10)
    stopped = halfway(wavy, noise(), process, 9, torch.full((3,), 99))
    assert torch.equal(stopped, seen[9])


def test_halfway_treats_each_sample_as_if_it_were_alone():
    process, stop = make_process(ZERO), torch.tensor([3, 998, 500])
    together = halfway(wavy, noise(), process, 4, stop)
    alone = [halfway(wavy, noise()[i : i + 1], process, 4, stop[i : i + 1]) for i in range(3)]
    assert torch.equal(together, torch.cat(alone))


def test_halfway_ends_at_its_own_level():
    """With the perfect denoiser of one picture, x_stop is that picture with the level's share of one noise."""
    process, stop = make_process(PLAIN), torch.tensor([10, 500, 900])
    x = halfway(knows(process), noise(), process, 7, stop, clip=None)
    left = (x - process.add_noise(PICTURE, torch.zeros(()), stop)) / process.sigma[stop].view(-1, 1, 1, 1)
    first = knows(process)(noise(), torch.full((3,), 999))
    assert torch.allclose(left, first, atol=1e-4)


def test_a_part_that_rounds_to_nothing_leaves_the_sample():
    """From 999 to 997 in ten parts, two move."""
    process = make_process(PLAIN)
    stop = torch.full((3,), 997)
    few, many = (halfway(wavy, noise(), process, parts, stop) for parts in (2, 10))
    assert torch.equal(few, many)


class NoWaiting(TorchDispatchMode):
    """Raises where a number leaves its tensor for the host: .item(), bool(), int(), float()."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            raise AssertionError(f"{func} waits for the device")
        return func(*args, **(kwargs or {}))


def everything(process: Process, x: torch.Tensor, draws: Random) -> None:
    for spacing in SPACINGS:
        ddim(wavy, x, process, 5, spacing=spacing)
        ddim(wavy, x, process, 5, spacing=spacing, eta=1.0, clip=None, random=draws)
        ddpm(wavy, x, process, 5, spacing=spacing, random=draws)
    halfway(wavy, x, process, 5, torch.arange(len(x), device=x.device))
    student = Denoiser(Small().to(x.device), process, (1, 4, 4), predicts="v_prediction")
    Sampler("ddim", 5)(student, x)


class Small(torch.nn.Module):
    def forward(self, x, t):
        return wavy(x, t)


def test_no_step_waits_for_the_device():
    process = make_process(ZERO)
    with NoWaiting():
        everything(process, noise(), random())
        with pytest.raises(AssertionError):
            bool(process.signal[0] > 0)


def test_every_coefficient_is_on_the_device_of_the_process():
    """The meta device has no numbers: a table left on the host, or a number read from the device, raises."""
    process = make_process(ZERO).to("meta")
    x = noise().to("meta")

    def on_device(x, t):
        assert x.device == t.device == process.signal.device and t.dtype == torch.int64 and t.shape == (len(x),)
        return wavy(x, t)

    made = [
        ddim(on_device, x, process, 5),
        halfway(on_device, x, process, 5, torch.zeros(3, dtype=torch.int64, device="meta")),
    ]
    assert {(m.device.type, m.shape) for m in made} == {("meta", x.shape)}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_no_step_waits_for_a_cuda_device():
    process, x = make_process(ZERO).cuda(), noise().cuda()
    draws = Random(generator("cuda", device="cuda"))
    everything(process, x, draws)  # first use of a kernel may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        everything(process, x, draws)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", ["ddim", "ddpm"])
def test_two_processes_sample_the_rows_of_one(name):
    """Noise is drawn for the global batch."""
    process, x, eta = make_process(ZERO), noise(5), 1.0 if name == "ddim" else 0.0
    whole = sample(name, wavy, x, process, 4, eta=eta, random=random())
    parts = [
        sample(name, wavy, x[rows], process, 4, eta=eta, random=random(rank=rank, world=2), total=5)
        for rank, rows in enumerate((slice(0, 2), slice(2, 5)))
    ]
    assert torch.equal(torch.cat(parts), whole)


def test_a_sampler_is_its_function_with_the_denoisers_process_and_clamp():
    process = make_process(ZERO)
    for clip in (0.5, None):
        student = Denoiser(Small(), process, (1, 4, 4), clip_range=clip)
        made = Sampler("ddim", 4, eta=0.5)(student, noise(), random())
        assert torch.equal(made, ddim(wavy, noise(), process, 4, eta=0.5, clip=clip, random=random()))
        assert not made.requires_grad and student.passes == 12


def test_the_clamp_bounds_the_last_picture():
    made = ddim(wavy, noise(), make_process(ZERO), 10, clip=0.3)
    assert made.abs().max() <= 0.3


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "dimm"}, 'unknown sampler "dimm". Did you mean "ddim"'),
        ({"name": "EulerDiscretScheduler"}, 'Did you mean "EulerDiscreteScheduler"'),
        ({"spacing": "trailling"}, 'Did you mean "trailing"'),
        ({"eta": 1.5}, "eta is 1.5"),
        ({"name": "ddpm", "eta": 0.5}, "eta is an option of ddim"),
    ],
)
def test_wrong_samplers_are_refused_with_a_sentence(wrong, sentence):
    with pytest.raises(RequestError) as error:
        Sampler(**wrong)
    assert sentence in str(error.value)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [0, 1001])
def test_steps_outside_the_process_are_refused(name, steps):
    with pytest.raises(RequestError, match="ask for 1 to 1000"):
        sample(name, wavy, noise(), make_process(ZERO), steps, random=random())


def test_samplers_that_draw_need_something_to_draw_from():
    for name, eta in (("ddpm", 0.0), ("ddim", 1.0)):
        with pytest.raises(RequestError, match="random="):
            sample(name, wavy, noise(), make_process(ZERO), 4, eta=eta)
