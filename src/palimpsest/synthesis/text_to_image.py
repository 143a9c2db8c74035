"""A painter from a text-to-image pipeline of diffusers. Only this file imports what such a pipeline needs."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from palimpsest.core.errors import RequestError, RunError, unknown
from palimpsest.core.libraries import one_line, quietly, shortened
from palimpsest.diffusion.schedulers import find_scheduler
from palimpsest.learning.devices import Machine
from palimpsest.synthesis.found_model import FoundModel
from palimpsest.synthesis.painter import Painted
from palimpsest.synthesis.request import Request
from palimpsest.synthesis.subjects import Subject

GUIDANCE = 2.0  # low guidance: more variety, less fidelity (docs/synthetic_pictures.md)
TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SCHEDULERS = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "dpmsolver++": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "pndm": "PNDMScheduler",
}


@dataclass(frozen=True)
class TextToImage:
    """Draws by the pipeline's own call. checked: what the manifest says of the safety checker."""

    pipeline: Any
    found: FoundModel
    steps: int
    guidance: float
    precision: str
    checked: str

    @property
    def native(self) -> tuple[int, int]:
        return native_size(self.pipeline, self.found.name)

    @property
    def passes(self) -> int:
        return self.steps * (2 if self.guidance > 1 and not is_told_of_guidance(self.pipeline) else 1)

    @property
    def about(self) -> Mapping[str, Any]:
        return {
            "model": {"kind": "text-to-image", "pipeline": type(self.pipeline).__name__, **self.found.about},
            "scheduler": type(self.pipeline.scheduler).__name__,
            "steps": self.steps,
            "guidance": self.guidance,
            "safety_checker": self.checked,
            "precision": self.precision,
        }

    def paint(self, subject: Subject, seeds: Sequence[int], steps: int = 0) -> Painted:
        """Noise is drawn on the CPU, so that it is the same for any device."""
        negative = {"negative_prompt": [subject.negative_prompt] * len(seeds)} if subject.negative_prompt else {}
        with quietly():
            made = self.pipeline(
                prompt=[subject.prompt] * len(seeds),
                num_inference_steps=steps or self.steps,
                guidance_scale=self.guidance,
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                output_type="np",
                **negative,
            )
        if not np.isfinite(made.images).all():
            raise RunError(
                f"{self.found.name} drew pictures of {subject.name} that are not finite numbers in {self.precision}; give "
                "--precision fp32, or bf16 where the device has it."
            )
        flagged = getattr(made, "nsfw_content_detected", None) or [False] * len(seeds)
        pixels = (np.asarray(made.images, np.float32) * 255).round().clip(0, 255).astype(np.uint8)
        return Painted(pixels, tuple(bool(flag) for flag in flagged))


def check_guidance(name: str, guidance: float | None, subjects: Sequence[Subject]) -> None:
    """Refuse guidance that does not guide, which `diffusers` does above 1 alone, and negative prompts that nobody would read."""
    if guidance is None or guidance > 1:
        return
    if 0 < guidance < 1:
        raise RequestError(f"--guidance is {guidance:g}, and {name} is guided above 1; give more, or 0 or 1 for none.")
    if any(subject.negative_prompt for subject in subjects):
        raise RequestError(
            f"--guidance is {guidance:g}, which is none, and negative prompts count in guidance alone; give more than 1, or take them out."
        )


def open_text_to_image(
    found: FoundModel, subjects: Sequence[Subject], request: Request, machine: Machine
) -> TextToImage:
    """The painter of a pipeline folder. Prompts that it would cut are refused before its weights are read."""
    found.check_lengths(subjects)
    check_guidance(found.name, request.guidance, subjects)
    automatic = "fp16" if machine.device.type == "cuda" else "fp32"
    precision = automatic if request.precision == "auto" else request.precision
    pipeline = load(found, precision, request.safety_checker)
    check_call(pipeline, subjects, found.name)
    if request.sampler:
        pipeline.scheduler = other_scheduler(pipeline.scheduler, request.sampler)
    levels = pipeline.scheduler.config.get("num_train_timesteps", request.steps)
    if request.steps > levels:
        raise RequestError(
            f"--steps {request.steps} was asked for, and {found.name} has {levels} noise levels; legal: 1 to {levels}."
        )
    pipeline.set_progress_bar_config(disable=True)
    checker = getattr(pipeline, "safety_checker", None)
    checked = "on" if checker is not None else "none" if request.safety_checker else "off, as asked"
    guidance = GUIDANCE if request.guidance is None else request.guidance
    return TextToImage(pipeline.to(machine.device), found, request.steps, guidance, precision, checked)


def load(found: FoundModel, precision: str, checker: bool) -> Any:
    """The pipeline, on the CPU. Weights must be safetensors."""
    import diffusers

    options = {"torch_dtype": TYPES[precision], "use_safetensors": True}
    if not checker and "safety_checker" in found.index:
        options |= {"safety_checker": None, "requires_safety_checker": False}
    with quietly():
        try:
            return diffusers.AutoPipelineForText2Image.from_pretrained(found.place, **options)
        except ValueError as error:
            if "AutoPipeline" not in str(error):
                raise cannot_open(found, error) from error
        except (OSError, ImportError, TypeError, AttributeError, RuntimeError) as error:
            raise cannot_open(found, error) from error
        try:  # a pipeline of a kind that the automatic choice does not know
            return diffusers.DiffusionPipeline.from_pretrained(found.place, **options)
        except Exception as error:  # of whatever the pipeline is made of
            raise cannot_open(found, error) from error


def cannot_open(found: FoundModel, error: Exception) -> RequestError:
    """The sentence for a folder that diffusers does not open."""
    return RequestError(
        f"the text-to-image model {found.name} cannot be opened ({shortened(error)}); give the folder of a complete "
        "diffusers pipeline whose weights are safetensors."
    )


def check_call(pipeline: Any, subjects: Sequence[Subject], name: str) -> None:
    """Refuse a pipeline that takes no prompt or needs a picture, and negative prompts where it takes none."""
    takes = inspect.signature(pipeline.__call__).parameters
    needs = {"prompt", "generator", "num_inference_steps", "guidance_scale"}
    if not needs <= set(takes) or takes.get("image", inspect.Parameter("image", 3, default=None)).default is not None:
        raise RequestError(
            f"{name} is a {type(pipeline).__name__}, which does not draw from text alone; give a text-to-image model, such as "
            "Stable Diffusion."
        )
    told = [subject.name for subject in subjects if subject.negative_prompt]
    if told and ("negative_prompt" not in takes or is_told_of_guidance(pipeline)):
        raise RequestError(
            f"the class {told[0]} has a negative prompt, and {name} ({type(pipeline).__name__}) takes none; leave it out."
        )


def is_told_of_guidance(pipeline: Any) -> bool:
    """Whether the network is told the scale of guidance, as latent consistency models are, and does not go twice over a picture."""
    return getattr(getattr(getattr(pipeline, "unet", None), "config", None), "time_cond_proj_dim", None) is not None


def other_scheduler(own: Any, name: str) -> Any:
    """A scheduler in place of the model's own, with its noise levels."""
    wanted = SCHEDULERS.get(name, name)
    if not wanted.endswith("Scheduler"):
        raise unknown("sampler", name, [*SCHEDULERS, "the class name of a diffusers scheduler"])
    try:
        return find_scheduler(wanted).from_config(own.config)
    except (TypeError, ValueError, ImportError, NotImplementedError) as error:
        raise RequestError(
            f"--sampler {name} cannot follow the model's {type(own).__name__}: {one_line(error)}."
        ) from error


def native_size(pipeline: Any, name: str) -> tuple[int, int]:
    """Height and width of the pictures that a pipeline draws when it is not told a size."""
    network = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    size = getattr(pipeline, "default_sample_size", None) or getattr(
        getattr(network, "config", None), "sample_size", None
    )
    scale = getattr(pipeline, "vae_scale_factor", None)
    if not size or not scale:
        raise RequestError(
            f"{name} does not say how large its pictures are (sample_size); write it into its configuration."
        )
    height, width = (size, size) if isinstance(size, int) else size
    return height * scale, width * scale
