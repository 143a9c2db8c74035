"""Models as diffusers pipeline folders: what comes out of a run, and what `update` and `sample` take in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.files import replace_with, write_atomically, write_folder
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.schedulers import read_process
from palimpsest.models.classifier import STEM

CLASSES = "classes.json"
LEGAL = "a pixel pipeline of diffusers (DDPMPipeline, DDIMPipeline), with a UNet2DModel as its unet"


@dataclass(frozen=True)
class Pipeline:
    """What a pipeline folder holds beside the network. name: of the pipeline's class.  scheduler: diffusers' own.

    classes: the names of those that a conditional network has learnt, by number.  untold: the share of pictures whose class it was
        not told.
    """

    name: str
    scheduler: Any
    classes: Mapping[int, str] = field(default_factory=dict)
    untold: float = 0.0

    def save(self, network: nn.Module, folder: Path) -> None:
        """Write the folder, as `save_pretrained` does, so that stock diffusers opens it."""
        import diffusers

        pipeline = getattr(diffusers, self.name)(unet=network, scheduler=self.scheduler)
        pipeline.save_pretrained(folder, safe_serialization=True)

    def deliver(self, denoiser: Denoiser, learnt: Mapping[int, str], folder: Path) -> None:
        """Write the pipeline into a folder that holds other things too; each part takes its place when all are complete.

        learnt: the names of the classes that a conditional denoiser has learnt, by number.
        """
        new, network = folder / ".new", denoiser.network

        def fill(place: Path) -> None:
            self.save(network, place)
            if denoiser.conditional:
                save_classes(denoiser, learnt, place)

        write_folder(new, fill, sum(p.nbytes for p in network.parameters()))
        for part in sorted(new.iterdir(), key=lambda part: part.name == "model_index.json"):  # the index comes last
            replace_with(folder / part.name, part)
        new.rmdir()


def open_pipeline(folder: Path) -> tuple[Denoiser, Pipeline]:
    """The denoiser in a pipeline folder, with its own betas, prediction type and range, and what goes with it.

    A network with class embeddings is a class-conditional denoiser; a record beside it says which classes it has learnt. Raises RequestError, saying what is there instead, for
    anything but a pixel pipeline. The folder is only read; weights must be safetensors.
    """
    import diffusers

    index = read_index(folder)
    scheduler_class = getattr(diffusers, (index.get("scheduler") or [None, ""])[1], None)
    if (index.get("unet") or [None, None])[1] != "UNet2DModel" or scheduler_class is None:
        raise RequestError(
            f"{folder} holds a {index.get('_class_name', 'pipeline')}, and this works on {LEGAL}; other kinds of models "
            "cannot be taught yet."
        )
    try:
        network = diffusers.UNet2DModel.from_pretrained(folder, subfolder="unet", use_safetensors=True)
        scheduler = scheduler_class.from_pretrained(folder, subfolder="scheduler")
    except (OSError, ValueError) as error:
        raise RequestError(f"the model in {folder} cannot be opened: {str(error).splitlines()[0]}") from error
    if network.config.in_channels != network.config.out_channels or network.config.class_embed_type:
        raise RequestError(
            f"the network in {folder} is conditional on more than a class or learns its variance; this works on {LEGAL}."
        )
    process, predicts, clip_range = read_process(scheduler)
    shape = (network.config.in_channels, *picture_size(network, folder))
    names, null, untold = read_classes(folder, network.config.num_class_embeds or 0)
    told_of = tuple(sorted(names))
    denoiser = Denoiser(network, process, shape, predicts=predicts, clip_range=clip_range, told_of=told_of, null=null)
    return denoiser.eval(), Pipeline(index["_class_name"], scheduler, names, untold)


def generator_in(folder: Path | None, device: torch.device) -> Denoiser | None:
    """The denoiser in a pipeline folder, on a device; None where there is no folder, or not any more."""
    return open_pipeline(folder)[0].to(device) if folder and folder.exists() else None


def save_classes(denoiser: Denoiser, names: Mapping[int, str], folder: Path) -> None:
    """Write beside a conditional denoiser which classes it has learnt, by number, and what stands for none."""
    learnt = {str(number): name for number, name in names.items()}
    record = {"learnt": learnt, "null": denoiser.null, "untold": denoiser.untold}
    write_atomically(folder / CLASSES, json.dumps(record, indent=2).encode("utf-8"))


def read_classes(folder: Path, count: int) -> tuple[dict[int, str], int | None, float]:
    """The names of the classes that a network has learnt, by number, what stands for none, and the share of pictures whose class it
    was not told; without a record, all of its `count` embeddings."""
    if not (folder / CLASSES).exists():
        return {number: f"class {number}" for number in range(count)}, None, 0.0
    try:
        record = json.loads((folder / CLASSES).read_text(encoding="utf-8"))
        learnt, null = {int(number): str(name) for number, name in record["learnt"].items()}, record["null"]
        untold = float(record.get("untold", 0.0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"{folder / CLASSES} cannot be read: {str(error).splitlines()[0]}") from error
    if wrong := [number for number in learnt if not 0 <= number < count]:
        raise RequestError(f"{folder / CLASSES} names class {wrong[0]}, and the network has {count} embeddings.")
    if not learnt or len(set(learnt.values())) < len(learnt) or null not in (None, count - 1) or null in learnt:
        raise RequestError(
            f"{folder / CLASSES} is damaged: it names one class or more, each by a name of its own, and as what stands for none the "
            f"last of the network's {count} embeddings or nothing."
        )
    return learnt, null, untold


def read_index(folder: Path) -> dict:
    """The model_index.json of a pipeline folder."""
    try:
        return json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if (folder / f"{STEM}.json").exists():
            raise RequestError(
                f"{folder} holds a classifier and nothing that makes pictures; give a run that trains a generator."
            ) from error
        if not folder.exists():
            raise RequestError(f"there is no {folder}; give {LEGAL}.") from error
        if inside := sorted((folder / "models").glob("task_*/model_index.json"), key=lambda file: (len(file.parts[-2]), file)):
            raise RequestError(f"{folder} is a run, and its model is {inside[-1].parent}; give that.") from error
        raise RequestError(
            f"{folder} is not a diffusers pipeline folder (no readable model_index.json); give {LEGAL}."
        ) from error


def picture_size(network: nn.Module, folder: Path) -> tuple[int, int]:
    """Height and width that the network was made for."""
    size = network.config.sample_size
    if size is None:
        raise RequestError(f"the network in {folder} does not say its sample_size; set it in unet/config.json.")
    return (size, size) if isinstance(size, int) else tuple(size)
