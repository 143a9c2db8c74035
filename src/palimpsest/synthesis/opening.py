"""The model that a request names, as a painter, with the classes that it is going to draw."""

from pathlib import Path

from palimpsest.core.errors import RequestError
from palimpsest.learning.devices import Machine
from palimpsest.synthesis.class_conditional import open_class_conditional
from palimpsest.synthesis.found_model import FoundModel, check_extra, find_model
from palimpsest.synthesis.painter import Painter
from palimpsest.synthesis.prompt_file import TEMPLATE, read_subjects
from palimpsest.synthesis.request import Request
from palimpsest.synthesis.subjects import Subject, chosen

KINDS = "a text-to-image pipeline of diffusers, or a run or model of palimpsest that is told of classes"


def open_painter(request: Request, machine: Machine) -> tuple[Painter, tuple[Subject, ...]]:
    """What draws, and what it draws. Raises RequestError for all that is wrong with either."""
    subjects = read_prompts(request) if request.prompts else ()
    found = find_model(request.model, request.revision)
    if dict(found.parts).get("unet", [None, None])[1] == "UNet2DModel":
        return own(found.place, called(found), request, machine)
    return from_text(found, subjects, request, machine)


def called(found: FoundModel) -> str:
    """The name of a model; one that lies in a run has that run's."""
    place = found.place.resolve()
    return place.parent.parent.name if place.parent.name == "models" else found.name


def own(place: Path, name: str, request: Request, machine: Machine) -> tuple[Painter, tuple[Subject, ...]]:
    """One of palimpsest's own models."""
    if request.precision == "fp16":
        raise RequestError("--precision fp16 is for text-to-image models; legal for this one: fp32, bf16.")
    precision = "bf16" if request.precision == "bf16" else "fp32"
    return open_class_conditional(place, name, request, Machine(machine.device, precision))


def from_text(
    found: FoundModel, subjects: tuple[Subject, ...], request: Request, machine: Machine
) -> tuple[Painter, tuple[Subject, ...]]:
    """A text-to-image model."""
    if not found.draws_from_text:
        raise RequestError(
            f"{found.name} is a {found.index.get('_class_name', 'model')}, and what is needed is {KINDS}."
        )
    if not subjects:
        raise RequestError(
            f"{found.name} draws from text, and no prompts were given; give --prompts FILE (docs/synthetic_pictures.md), or "
            "the name of prompts that are included: cifar10, cifar100, fashion_mnist."
        )
    check_extra(found.name)
    from palimpsest.synthesis.text_to_image import open_text_to_image

    return open_text_to_image(found, subjects, request, machine), subjects


def read_prompts(request: Request) -> tuple[Subject, ...]:
    """The classes of the prompt file that are asked for."""
    subjects = read_subjects(request.prompts, request.template or TEMPLATE, request.negative, request.wordnet)
    return chosen(subjects, request.classes, request.prompts)
