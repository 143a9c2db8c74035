"""A painter from palimpsest's own models: a generator that is told of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, Together
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.guidance import WithoutClassifier
from palimpsest.diffusion.samplers import Sampler
from palimpsest.diffusion.steps import check_steps
from palimpsest.evaluation.sheet import to_bytes
from palimpsest.learning.devices import Machine
from palimpsest.models.pipelines import open_pipeline
from palimpsest.synthesis.painter import Painted, digest_of
from palimpsest.synthesis.request import Request
from palimpsest.synthesis.subjects import Subject, check_subjects, chosen

TEXT_ONLY = {"prompts": "", "template": "", "negative": "", "wordnet": "", "revision": ""}


@dataclass(frozen=True)
class ClassConditional:
    """Draws by palimpsest's own samplers. name: of the model's place.  digest: see `painter.digest_of`."""

    denoiser: Denoiser
    sampler: Sampler
    guidance: float
    machine: Machine
    name: str
    digest: str

    @property
    def native(self) -> tuple[int, int]:
        return self.denoiser.shape[1:]

    @property
    def passes(self) -> int:
        return self.sampler.steps * (1 if self.guidance == 1 else 2)

    @property
    def about(self) -> Mapping[str, Any]:
        return {
            "model": {"kind": "class-conditional", "name": self.name, "revision": "", "digest": self.digest},
            "scheduler": self.sampler.name,
            "steps": self.sampler.steps,
            "guidance": self.guidance,
            "safety_checker": "none",
            "precision": self.machine.precision,
        }

    def paint(self, subject: Subject, seeds: Sequence[int], steps: int = 0) -> Painted:
        device = self.machine.device
        each = [torch.Generator(device=device).manual_seed(seed) for seed in seeds]  # a picture's own noise
        random = Together([Random(generator) for generator in each])
        y = torch.full((len(seeds),), subject.class_id, device=device)
        guide = None if self.guidance == 1 else WithoutClassifier(self.guidance)
        sampler = Sampler(self.sampler.name, steps or self.sampler.steps)
        noise = random.normal(len(seeds), *self.denoiser.shape)
        with self.machine.autocast():
            drawn = sampler(self.denoiser, noise, random, y=y, total=len(seeds), guide=guide)
        return Painted(to_bytes(drawn), (False,) * len(seeds))


def open_class_conditional(
    place: Path, name: str, request: Request, machine: Machine
) -> tuple[ClassConditional, tuple[Subject, ...]]:
    """The painter of a model folder, and the classes that it has learnt. name: what the model is called.

    Raises RequestError for a model that is told of no classes, or what only a text-to-image model takes.
    """
    refuse_text(request, name)
    denoiser, pipeline = open_pipeline(place)
    if not denoiser.conditional:
        raise RequestError(
            f"{name} is told of no classes, so that its pictures would have no labels; give a model that was trained with a "
            "class-conditional denoiser (learner conditional_denoiser), or a text-to-image model."
        )
    subjects = [Subject(number, text) for number, text in sorted(pipeline.classes.items())]
    check_subjects(subjects, name)
    sampler = sampler_of(request, denoiser)
    guidance = 1.0 if request.guidance is None else request.guidance
    if guidance != 1:
        WithoutClassifier(guidance).check(denoiser)
    painter = ClassConditional(denoiser.to(machine.device), sampler, guidance, machine, name, digest_of(place))
    return painter, chosen(subjects, request.classes, name)


def refuse_text(request: Request, name: str) -> None:
    """Refuse what only a text-to-image model takes."""
    for option, usual in TEXT_ONLY.items():
        if getattr(request, option) != usual:
            raise RequestError(
                f"--{option} was given, and {name} is not a text-to-image model but one that is told of classes, which takes no "
                f"text; leave --{option} out."
            )


def sampler_of(request: Request, denoiser: Denoiser) -> Sampler:
    """The sampler that is asked for, by default ddim. Refuses those that draw noise for a whole batch at once."""
    check_steps(request.steps, denoiser.process.steps)
    sampler = Sampler(request.sampler or "ddim", request.steps)
    if not sampler.draws_by_row:
        raise RequestError(
            f'--sampler "{sampler.name}" draws its noise for a whole batch, and here each picture has noise of its own; legal: '
            "ddim, ddpm, dpmsolver++, unipc."
        )
    return sampler
