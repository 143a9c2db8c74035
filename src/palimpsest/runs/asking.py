"""What a model that was saved says about pictures: their class, and how well it knows them."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.denoising import surprise
from palimpsest.learning.devices import find_device
from palimpsest.measuring.measurer import offering
from palimpsest.runs.models import model_of, open_learners

BATCH = 250
ROUNDING = 1e-3
LACKING = {"logits": "no classifier and no joint model", "noise": "no generator"}


@torch.no_grad()
def classify(place: str | Path, pictures: Tensor, *, task: int | None = None, device: str = "auto") -> Tensor:
    """Probabilities (N, classes), float32 on the CPU, of pictures (N, C, H, W) in [-1, 1], over all the stream's classes.

    place: a run directory, or the folder of one of its models.  task: after which task; default: the last one.
    Raises RequestError where nothing was saved that classifies, and for pictures of another shape or range.
    """
    classifier = open_model(Path(place), task, "logits", pictures, device)
    return in_batches(lambda x, first: classifier.logits(x).softmax(-1), pictures, device)


@torch.no_grad()
def score(
    place: str | Path,
    pictures: Tensor,
    *,
    classes: Tensor | None = None,
    task: int | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Tensor:
    """How little a generator knows pictures (N, C, H, W) in [-1, 1]: its mean squared error about their noise, from 0.

    float32 (N,) on the CPU; the less, the more a picture is like what was learnt (`evaluation.denoising.surprise`). It compares
    pictures by one model, or one picture by several, under one seed.
    place: a run directory, or a diffusers pipeline folder.  classes: int64 (N,), for a generator that is told of them.
    """
    generator = open_model(Path(place), task, "noise", pictures, device)
    check_classes(generator.told_of if generator.conditional else (), classes, len(pictures))

    def error(x: Tensor, first: int) -> Tensor:
        y = None if classes is None else classes[first : first + len(x)].to(x.device)
        return surprise(generator, x, y, (seed, "score", first))

    return in_batches(error, pictures, device)


def open_model(place: Path, task: int | None, head: str, pictures: Tensor, device: str) -> nn.Module:
    """The learner that answers to a head, on the device; refuses pictures that are not of its shape, or not in [-1, 1]."""
    check_range(pictures)
    found = offering(open_learners(model_of(place, task)), head)
    if found is None:
        raise RequestError(f"{place} holds {LACKING[head]}; give a run whose strategy or [classifier] trains one.")
    if tuple(pictures.shape[1:]) != found.shape:
        raise RequestError(
            f"the pictures are of shape {tuple(pictures.shape)}, and the model takes (N, C, H, W) = (N, "
            f"{', '.join(map(str, found.shape))}); bring them to that shape, in [-1, 1]."
        )
    return found.to(find_device(device))


def check_range(pictures: Tensor) -> None:
    """Refuse what is no tensor of pictures in [-1, 1], up to rounding, with the way to bring it there."""
    if not isinstance(pictures, Tensor) or pictures.dim() != 4 or not len(pictures):
        raise RequestError(
            "pictures are a tensor (N, C, H, W) of one or more, in [-1, 1]; torch.from_numpy makes one of an array."
        )
    if not pictures.is_floating_point():
        raise RequestError(
            f"the pictures are {pictures.dtype}, and the model takes floats in [-1, 1]; x.float() / 127.5 - 1 makes them of bytes."
        )
    low, high = pictures.min().item(), pictures.max().item()
    if not (low >= -1 - ROUNDING and high <= 1 + ROUNDING):  # not a number is neither
        raise RequestError(
            f"the pictures have values from {low:.3g} to {high:.3g}, and the model takes [-1, 1]; x / 127.5 - 1 brings 0 to 255 "
            "there, and 2 * x - 1 brings 0 to 1."
        )


def check_classes(told_of: tuple[int, ...], classes: Tensor | None, count: int) -> None:
    """Refuse classes that a generator cannot be asked with. told_of: those that it has learnt; none: it is told of none."""
    if not told_of:
        if classes is not None:
            raise RequestError("the generator is not told of classes; leave `classes` out.")
        return
    legal = ", ".join(map(str, told_of))
    if classes is None or len(classes) != count:
        given = "none was given" if classes is None else f"{len(classes)} were given for {count} pictures"
        raise RequestError(
            f"the generator is told of classes, and {given}; give the class of each picture, of {legal}."
        )
    if wrong := sorted(set(classes.tolist()) - set(told_of)):
        raise RequestError(f"the generator has not learnt class {wrong[0]}; legal: {legal}.")


def in_batches(say: Callable[[Tensor, int], Tensor], pictures: Tensor, device: str) -> Tensor:
    """What is said about all pictures, a batch at a time; `say` is told where the batch begins."""
    place, said = find_device(device), []
    for first in range(0, len(pictures), BATCH):
        said.append(say(pictures[first : first + BATCH].float().to(place), first).float().cpu())
    return torch.cat(said)
