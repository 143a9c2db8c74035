"""What the adapter of diffusers' schedulers refuses, and what goes out to and comes in from saved pipelines."""

import diffusers
import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, generator
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.process import FLOOR, make_process
from palimpsest.diffusion.samplers import sample
from palimpsest.diffusion.schedulers import export_scheduler, own_generator, read_process, scheduled

ZERO = make_process(DiffusionOptions())
PLAIN = make_process(DiffusionOptions(zero_terminal_snr=False))


def run(name, process=PLAIN, steps=10, **options):
    x = Random(generator("schedulers")).normal(2, 1, 4, 4)
    return scheduled(lambda x, t: x, x, process, steps, name, **options)


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "LMSDiscreteScheduler", "PNDMScheduler"])
def test_a_scheduler_that_cannot_clamp_is_refused_where_it_would_diverge(name):
    assert run(name).isfinite().all()
    with pytest.raises(RequestError, match=f"{name} would diverge"):
        run(name, ZERO)


@pytest.mark.parametrize("clip", [None, 2.0])
def test_a_clamp_that_thresholding_cannot_give_is_refused(clip):
    """diffusers' thresholding divides by its maximum: at any other range than 1 it is not the clamp."""
    with pytest.raises(RequestError, match="would diverge"):
        run("DPMSolverMultistepScheduler", ZERO, clip=clip)
    assert run("DPMSolverMultistepScheduler", clip=clip).isfinite().all()


@pytest.mark.parametrize("name", ["IPNDMScheduler", "FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler"])
def test_a_scheduler_of_other_noise_levels_is_refused(name):
    with pytest.raises(RequestError, match="does not follow a given noise schedule"):
        run(name)


@pytest.mark.parametrize(
    ("name", "process", "steps"),
    [
        ("DPMSolverMultistepScheduler", ZERO, 1000),  # levels 995 to 999 have the same ᾱ
        ("UniPCMultistepScheduler", PLAIN, 61),  # diffusers adds a time of −1
        ("KDPM2DiscreteScheduler", PLAIN, 10),  # asks between two levels
        ("DDIMInverseScheduler", PLAIN, 10),  # goes up
    ],
)
def test_times_that_are_not_falling_levels_are_refused(name, process, steps):
    with pytest.raises(RequestError, match=f"{name} in {steps} steps"):
        run(name, process, steps)


def test_a_scheduler_that_draws_draws_from_the_given_numbers():
    """The same address gives the same pictures, another address others; the global generator plays no part."""
    x = torch.zeros(2, 1, 4, 4)

    def pictures(seed):
        torch.seed()
        draws = Random(generator("ancestral", seed))
        return sample("EulerAncestralDiscreteScheduler", lambda x, t: x, x, PLAIN, 5, random=draws)

    assert torch.equal(pictures(0), pictures(0)) and not torch.equal(pictures(0), pictures(1))


@pytest.mark.parametrize(("schedule", "predicts"), [("linear", "epsilon"), ("cosine", "v_prediction")])
def test_a_saved_process_comes_back_to_the_bit(tmp_path, schedule, predicts):
    options = DiffusionOptions(schedule=schedule, predicts=predicts, clip_range=1.5)
    process = make_process(options)
    export_scheduler(process, options).save_pretrained(tmp_path)
    again, said, clip = read_process(diffusers.DDIMScheduler.from_pretrained(tmp_path))
    assert torch.equal(again.power, process.power) and torch.equal(again.betas, process.betas)
    assert (said, clip) == (predicts, 1.5)


def test_the_exported_scheduler_is_as_the_design_says():
    scheduler = export_scheduler(ZERO, DiffusionOptions(clip=False))
    config = scheduler.config
    assert (config.timestep_spacing, config.set_alpha_to_one, config.steps_offset) == ("trailing", True, 0)
    assert not config.clip_sample and not config.rescale_betas_zero_snr
    assert scheduler.alphas_cumprod[-1].item() == pytest.approx(FLOOR, rel=1e-6)


@pytest.mark.parametrize(
    ("scheduler", "clip"),
    [
        (diffusers.DDPMScheduler(), 1.0),
        (diffusers.DDPMScheduler(beta_schedule="sigmoid", clip_sample_range=3.0), 3.0),
        (diffusers.DDIMScheduler(clip_sample=False, beta_schedule="scaled_linear", num_train_timesteps=100), None),
        (diffusers.PNDMScheduler(), None),
    ],
)
def test_a_models_own_levels_are_read(scheduler, clip):
    process, predicts, found = read_process(scheduler)
    assert torch.equal(process.alphas_bar, scheduler.alphas_cumprod)
    assert (predicts, found) == ("epsilon", clip)


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerDiscreteScheduler"])
def test_zero_terminal_snr_is_read_with_its_floor(name):
    """Some classes leave ᾱ_T = 0, others set 2⁻²⁴ above the level before it."""
    scheduler = getattr(diffusers, name)(rescale_betas_zero_snr=True)
    process, _, _ = read_process(scheduler)
    assert process.alphas_bar.min() >= FLOOR * (1 - 1e-5) and (process.alphas_bar.diff() <= 0).all()
    assert torch.allclose(process.alphas_bar[:995], scheduler.alphas_cumprod[:995], rtol=1e-6)


@pytest.mark.parametrize(
    ("scheduler", "sentence"),
    [
        (diffusers.FlowMatchEulerDiscreteScheduler(), "no ᾱ schedule"),
        (diffusers.DDPMScheduler(variance_type="learned_range"), "learns its variance"),
        (diffusers.DPMSolverMultistepScheduler(prediction_type="flow_prediction"), "unknown prediction"),
    ],
)
def test_models_that_cannot_be_taught_are_refused(scheduler, sentence):
    with pytest.raises(RequestError, match=sentence):
        read_process(scheduler)


def test_processes_draw_noise_of_their_own_and_not_that_which_they_began_with():
    def first(rank: int) -> torch.Tensor:
        random = Random(generator(0, "dreams"), rank, 2)
        return torch.randn(4, generator=own_generator(random))

    began = Random(generator(0, "dreams")).normal(4)
    assert not torch.equal(first(0), began) and not torch.equal(first(0), first(1))
    alone = Random(generator(0, "dreams"))
    assert own_generator(alone) is alone.generator
