"""Any diffusers scheduler as a sampler, and processes to and from the schedulers of saved pipelines.

diffusers is imported where it is used, for the import takes seconds.
"""

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.libraries import one_line
from palimpsest.core.random import Numbers, Random, seed_of
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.parametrisation import PARAMETRISATIONS
from palimpsest.diffusion.process import Process
from palimpsest.diffusion.steps import NoiseOf, check_steps

if TYPE_CHECKING:
    from diffusers import DDIMScheduler


def scheduled(
    noise_of: NoiseOf,
    x: Tensor,
    process: Process,
    steps: int,
    scheduler_class: str,
    *,
    spacing: str = "trailing",
    clip: float | None = 1.0,
    random: Numbers | None = None,
    total: int = 0,
) -> Tensor:
    """Pictures (B, C, H, W) from noise x (B, C, H, W), stepped by a diffusers scheduler of our noise levels.

    scheduler_class: its class name, such as "DPMSolverMultistepScheduler".
    clip: taken by schedulers that have a clip option; the others clamp only where the process needs it.
    random: what a scheduler that adds noise draws from. `total` is not used: such noise is drawn by diffusers for this
        process's rows alone, from a generator of its own, so it depends on the number of processes. Of several batches
        together it is not drawn at all.
    Raises RequestError where the scheduler cannot follow this process, clamp or steps.
    """
    check_steps(steps, process.steps)
    scheduler = build(scheduler_class, process, spacing, clip)
    options = {}
    if isinstance(random, Random) and "generator" in inspect.signature(scheduler.step).parameters:
        options["generator"] = own_generator(random)
    times = times_of(scheduler, steps, process)
    x = x * scheduler.init_noise_sigma
    for time in times:
        t = torch.full((len(x),), int(time), dtype=torch.int64, device=x.device)
        ε = noise_of(scheduler.scale_model_input(x, time), t)
        x = scheduler.step(ε, time, x, **options).prev_sample
    return x


def find_scheduler(name: str) -> type:
    """The diffusers class of that name; an unknown one is refused with the near match."""
    import diffusers
    from diffusers.schedulers import KarrasDiffusionSchedulers

    if not hasattr(diffusers, name):
        raise unknown("diffusers scheduler", name, [scheduler.name for scheduler in KarrasDiffusionSchedulers])
    return getattr(diffusers, name)


@lru_cache(maxsize=4)  # a teacher is asked for dreams in every step
def build(name: str, process: Process, spacing: str, clip: float | None) -> Any:
    """A diffusers scheduler with the process's own betas, for a network that predicts noise."""
    scheduler_class = find_scheduler(name)
    takes = inspect.signature(scheduler_class.__init__).parameters
    clamp = clamp_options(set(takes), process, clip)
    wanted = {
        "num_train_timesteps": process.steps,
        "trained_betas": process.betas.tolist(),
        "prediction_type": "epsilon",
        "timestep_spacing": spacing,
        "set_alpha_to_one": True,
        **clamp,
    }
    try:
        scheduler = scheduler_class(**{option: value for option, value in wanted.items() if option in takes})
    except (ImportError, TypeError, ValueError, NotImplementedError) as error:
        raise RequestError(f"diffusers' {name} could not be made for this process: {one_line(error)}.") from error
    if not torch.equal(getattr(scheduler, "alphas_cumprod", torch.empty(0)), torch.cumprod(1 - process.betas, 0)):
        raise RequestError(
            f"diffusers' {name} does not follow a given noise schedule, so this denoiser cannot be sampled with it; "
            "choose ddim, ddpm, dpmsolver++, unipc or a scheduler that takes trained_betas."
        )
    if process.needs_clamp and not (clip and clamp):
        raise RequestError(
            f"diffusers' {name} would diverge on this process, whose last noise level has almost no signal, "
            f"for it cannot clamp predicted pictures to the denoiser's range ({clip}); sample with ddim or ddpm, "
            "or with dpmsolver++ or unipc where the range is 1.0."
        )
    return scheduler


def clamp_options(takes: set[str], process: Process, clip: float | None) -> dict[str, Any]:
    """The options that clamp predicted clean pictures: a scheduler's own clamp, or its threshold where needed."""
    if "clip_sample" in takes:
        return {"clip_sample": clip is not None, "clip_sample_range": clip or 1.0}
    if process.needs_clamp and clip == 1 and "thresholding" in takes:
        # At ratio 1 and maximum 1 the dynamic threshold is the plain clamp; at any other maximum it also divides.
        return {"thresholding": True, "dynamic_thresholding_ratio": 1.0, "sample_max_value": clip}
    return {}


def times_of(scheduler: Any, steps: int, process: Process) -> Tensor:
    """The scheduler's times on the host, refused where they are not noise levels of the process that fall."""
    name = type(scheduler).__name__
    try:
        scheduler.set_timesteps(steps)
    except (TypeError, ValueError, IndexError, AttributeError, NotImplementedError) as error:
        raise RequestError(f"diffusers' {name} cannot take {steps} steps: {one_line(error)}.") from error
    times = scheduler.timesteps.cpu()
    whole = times.double().frac().abs().max() == 0 and times.min() >= 0
    falling = bool((times.diff() <= 0).all())
    # Two times of one noise level (a floored tail, visited at hundreds of steps) make multistep solvers divide by 0.
    distinct = whole and len(times.unique()) == len(torch.cumprod(1 - process.betas, 0)[times.long()].unique())
    if not (whole and falling and distinct):
        raise RequestError(
            f"diffusers' {name} in {steps} steps would not go down through different noise levels of this process, "
            "one whole number after the other; try another number of steps (fewer), trailing spacing, or ddim."
        )
    return times


def own_generator(random: Random) -> torch.Generator:
    """A generator for this process's rows alone; that of the address itself where there is one process."""
    if random.world == 1:
        return random.generator
    device = random.generator.device
    return torch.Generator(device=device).manual_seed(seed_of(random.generator.initial_seed(), "own", random.rank))


def export_scheduler(process: Process, options: DiffusionOptions) -> "DDIMScheduler":
    """A stock DDIMScheduler that samples as `samplers.ddim` does: same betas to the bit, trailing steps, same clamp."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=process.steps,
        trained_betas=process.betas.tolist(),
        prediction_type=options.predicts,
        clip_sample=options.clip,
        clip_sample_range=options.clip_range,
        timestep_spacing="trailing",
        set_alpha_to_one=True,
        steps_offset=0,
        rescale_betas_zero_snr=False,  # the betas are already rescaled, and floored where ᾱ = 0 would give NaN
    )


def read_process(scheduler: Any) -> tuple[Process, str, float | None]:
    """A saved pipeline's own noise levels, what its network predicts (diffusers' word), and its clamp range or None."""
    name, config = type(scheduler).__name__, scheduler.config
    if not isinstance(getattr(scheduler, "alphas_cumprod", None), Tensor):
        raise RequestError(
            f"the model's scheduler is a {name}, which has no ᾱ schedule (flow matching, for one, has none); "
            "palimpsest teaches models of diffusers' DDPM family: DDPMScheduler, DDIMScheduler and their like."
        )
    predicts = config.get("prediction_type", "epsilon")
    if predicts not in PARAMETRISATIONS:
        raise unknown(f"prediction of the model's {name}", predicts, PARAMETRISATIONS)
    if str(config.get("variance_type", "")).startswith("learned"):
        raise RequestError(
            f"the model's {name} learns its variance ({config['variance_type']}), and palimpsest trains the noise "
            "alone; give a model with a fixed variance."
        )
    clip = config.get("clip_sample_range", 1.0) if config.get("clip_sample", False) else None
    return Process(scheduler.alphas_cumprod), predicts, clip
