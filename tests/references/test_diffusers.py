"""Our process and samplers equal diffusers', step for step."""

import diffusers
import pytest
import torch

from palimpsest.core.random import Random, generator
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.process import Process, cosine, linear, make_process, rescale_zero_terminal_snr
from palimpsest.diffusion.samplers import SPACINGS, Sampler, ddim, ddpm, halfway, sample, timesteps
from palimpsest.diffusion.schedulers import export_scheduler
from palimpsest.diffusion.trajectories import spread_times, trajectory

PROCESSES = {
    "plain": make_process(DiffusionOptions(zero_terminal_snr=False)),
    "zero": make_process(DiffusionOptions()),
    "cosine": make_process(DiffusionOptions(schedule="cosine", zero_terminal_snr=False)),
    "short": make_process(DiffusionOptions(steps=20, beta_end=0.5)),
}
STEPS = [1, 2, 3, 7, 10, 50, 100]


def step_counts(process: Process) -> list[int]:
    """Those of STEPS that the process has levels for, and all of its levels where they are few."""
    return [n for n in STEPS if n <= process.steps] + [process.steps] * (process.steps < 100)


def noise() -> torch.Tensor:
    return Random(generator("noise")).normal(3, 2, 4, 4)


def wavy(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Some smooth function of picture and time, as a network is."""
    return torch.sin(1.3 * x + 0.01 * t.view(-1, 1, 1, 1))


def scheduler_of(name: str, process: Process, spacing: str, clip: float | None, **options):
    if clip is not None:
        options |= {"clip_sample": True, "clip_sample_range": clip}
    else:
        options |= {"clip_sample": False}
    return getattr(diffusers, name)(
        num_train_timesteps=process.steps, trained_betas=process.betas.tolist(), timestep_spacing=spacing, **options
    )


def loop(scheduler, steps: int, x: torch.Tensor, stop: int = 0, network=wavy, **options) -> torch.Tensor:
    """diffusers' own way to sample, without its last `stop` steps."""
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps[: len(scheduler.timesteps) - stop]:
        x = scheduler.step(network(x, t.expand(len(x))), t, x, **options).prev_sample
    return x


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_schedules():
    """Linear and cosine ᾱ to the bit; rescaling to zero terminal SNR to float precision, wherever above the floor."""
    assert torch.equal(linear(), diffusers.DDPMScheduler().alphas_cumprod)
    assert torch.equal(cosine(), diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod)
    rescaled = diffusers.DDPMScheduler(rescale_betas_zero_snr=True).alphas_cumprod
    close(rescale_zero_terminal_snr(linear()), rescaled)
    torch.testing.assert_close(PROCESSES["zero"].alphas_bar[:995], rescaled[:995], rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_scheduler_with_our_betas_has_our_levels_to_the_bit(name):
    process = PROCESSES[name]
    theirs = scheduler_of("DDIMScheduler", process, "trailing", 1.0)
    assert torch.equal(process.alphas_bar, theirs.alphas_cumprod)


def test_adding_noise():
    process, t = PROCESSES["zero"], torch.tensor([0, 500, 999])
    x0 = torch.rand(3, 2, 4, 4)
    theirs = scheduler_of("DDPMScheduler", process, "leading", None).add_noise(x0, noise(), t)
    assert torch.equal(process.add_noise(x0, noise(), t), theirs)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", ["zero", "short"])
def test_times(name, spacing):
    """For every number of steps. For some, diffusers' trailing times end with a −1 too many, which we leave out."""
    process = PROCESSES[name]
    theirs = scheduler_of("DDIMScheduler", process, spacing, 1.0)
    for steps in range(1, process.steps + 1):
        theirs.set_timesteps(steps)
        assert timesteps(process.steps, steps, spacing) == [t for t in theirs.timesteps.tolist() if t >= 0]


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", PROCESSES)
def test_ddim(name, spacing, eta):
    """With the clamp on every process, and without it where the last level has signal to divide by."""
    process = PROCESSES[name]
    for steps in step_counts(process):
        for clip in [1.0, 2.0] + [None] * (not process.needs_clamp):
            theirs = scheduler_of("DDIMScheduler", process, spacing, clip)
            ours = ddim(
                wavy, noise(), process, steps, spacing=spacing, eta=eta, clip=clip, random=Random(generator("z"))
            )
            close(ours, loop(theirs, steps, noise(), eta=eta, generator=generator("z")))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", PROCESSES)
def test_ddpm(name, spacing):
    process = PROCESSES[name]
    for steps in step_counts(process):
        for clip in [1.0, 2.0] + [None] * (not process.needs_clamp):
            theirs = scheduler_of("DDPMScheduler", process, spacing, clip, variance_type="fixed_small")
            ours = ddpm(wavy, noise(), process, steps, spacing=spacing, clip=clip, random=Random(generator("z")))
            close(ours, loop(theirs, steps, noise(), generator=generator("z")))


def test_halfway_is_their_ddim_without_its_last_steps():
    """Ten trailing steps without the last three stop at level 299."""
    process = PROCESSES["zero"]
    theirs = loop(scheduler_of("DDIMScheduler", process, "trailing", 1.0), 10, noise(), stop=3)
    close(halfway(wavy, noise(), process, 7, torch.full((3,), 299)), theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("dpmsolver++", "DPMSolverMultistepScheduler"), ("unipc", "UniPCMultistepScheduler")],
)
@pytest.mark.parametrize("name", PROCESSES)
def test_the_adapter_is_their_loop(ours, theirs, name):
    """With thresholding as a plain clamp where the process has a level of almost no signal."""
    process = PROCESSES[name]
    clamp = {"thresholding": True, "dynamic_thresholding_ratio": 1.0, "sample_max_value": 1.0}
    scheduler = getattr(diffusers, theirs)(
        num_train_timesteps=process.steps,
        trained_betas=process.betas.tolist(),
        timestep_spacing="trailing",
        **(clamp if process.needs_clamp else {}),
    )
    for steps in (1, 2, 3, 10, 20):
        close(sample(ours, wavy, noise(), process, steps), loop(scheduler, steps, noise()))


@pytest.mark.parametrize("name", PROCESSES)
def test_the_path_of_dpmsolver_is_their_loop(name):
    process = PROCESSES[name]
    clamp = {"thresholding": True, "dynamic_thresholding_ratio": 1.0, "sample_max_value": 1.0}
    theirs = diffusers.DPMSolverMultistepScheduler(
        num_train_timesteps=process.steps,
        trained_betas=process.betas.tolist(),
        timestep_spacing="trailing",
        **(clamp if process.needs_clamp else {}),
    )
    clip = 1.0 if process.needs_clamp else None
    for steps in (1, 2, 3, 10, 20):
        times = spread_times(process, steps, 3)
        points, end = trajectory(wavy, noise(), process, times, steps, solver="dpmsolver++", clip=clip)
        close(end, loop(theirs, steps, noise()))


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "LMSDiscreteScheduler"])
def test_the_adapter_is_their_loop_in_scaled_coordinates(name):
    """They start from init_noise_sigma times the noise, and scale what the network sees."""
    process = PROCESSES["plain"]
    theirs = getattr(diffusers, name)(trained_betas=process.betas.tolist(), timestep_spacing="trailing")
    theirs.set_timesteps(10)
    options = {} if name.startswith("LMS") else {"generator": generator("z")}
    x = noise() * theirs.init_noise_sigma
    for t in theirs.timesteps:
        x = theirs.step(wavy(theirs.scale_model_input(x, t), t.expand(3)), t, x, **options).prev_sample
    close(sample(name, wavy, noise(), process, 10, random=Random(generator("z"))), x)


def tiny_network() -> diffusers.UNet2DModel:
    torch.manual_seed(0)
    return diffusers.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8, 8),
        norm_num_groups=4, down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        (DiffusionOptions(), 1e-5),
        (DiffusionOptions(schedule="cosine", zero_terminal_snr=False, clip_range=2.0), 1e-5),
        # Ours goes through ε, where 1/√ᾱ = 4096 turns float32's 6e-8 into a few 1e-4.
        (DiffusionOptions(predicts="v_prediction"), 2e-3),
        (DiffusionOptions(predicts="sample"), 2e-3),
    ],
    ids=["epsilon", "cosine", "v", "sample"],
)
def test_a_saved_pipeline_makes_the_pictures_of_our_sampler(tmp_path, options, tolerance):
    """A stock DDIMPipeline, opened from disk, from the same noise; in [0, 1] as pipelines give pictures."""
    network, process = tiny_network(), make_process(options)
    diffusers.DDIMPipeline(network, export_scheduler(process, options)).save_pretrained(tmp_path)
    pipeline = diffusers.DDIMPipeline.from_pretrained(tmp_path)
    pipeline.unet.to(memory_format=torch.channels_last)  # as ours is, for a layout decides the last bits
    pipeline.set_progress_bar_config(disable=True)
    student = Denoiser(network.eval(), process, (1, 8, 8), predicts=options.predicts, clip_range=options.clamp)
    for steps in (2, 10):
        theirs = pipeline(4, generator("x"), num_inference_steps=steps, output_type="np").images
        x = torch.randn(4, 1, 8, 8, generator=generator("x"))
        ours = (Sampler("ddim", steps)(student, x) / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
        torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=tolerance)
