"""Pictures from a model, into a sheet, an array or a folder."""

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.files import check_place, make_place, write_atomically, write_folder
from palimpsest.diffusion.samplers import Sampler
from palimpsest.evaluation.sheet import sample_sheet, save_sheet, to_bytes
from palimpsest.learning.devices import Machine, find_device
from palimpsest.measuring.drawing import draw_samples
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.models import model_of

BATCH = 250


def sample(
    place: str | Path,
    *,
    count: int = 60,
    task: int | None = None,
    sampler: str = "ddim",
    steps: int = 50,
    seed: int = 0,
    classes: Sequence[int | str] | None = None,
    device: str = "auto",
) -> Tensor:
    """`count` pictures (count, C, H, W) in [-1, 1], float32 on the CPU.

    place: a run directory, or a diffusers pipeline folder.  task: of which task's model; default: the last one.
    classes: names of those to draw, or their numbers (of text, one that is a name is taken for the name), for a generator that is told of classes; default: all that it has learnt. Pictures
    show them in turn, so that each gets an equal share of `count`.
    Raises RequestError for a place without a generator, and for classes that it has not learnt or is not told of.
    """
    machine = Machine(find_device(device))
    denoiser, pipeline = open_pipeline(model_of(Path(place), task))
    asked = () if classes is None else numbers_of(classes, pipeline.classes, place)
    how = Sampler(sampler, steps), count, BATCH, (seed, "sample"), machine
    return draw_samples(denoiser.to(machine.device), *how, classes=asked)


def numbers_of(classes: Sequence[int | str], learnt: Mapping[int, str], place: str | Path) -> tuple[int, ...]:
    """The numbers of classes that are asked for by name or number. learnt: names by number, none where it is told of none."""
    if not learnt:
        raise RequestError(f"the generator in {place} is not told of classes; leave classes out.")
    if not classes:
        raise RequestError(
            f"no class was asked for; leave classes out for all, or give some of {', '.join(learnt.values())}."
        )
    numbers = {number: number for number in learnt} | {str(number): number for number in learnt}
    numbers |= {name: number for number, name in learnt.items()}  # text is a name first: folders may be called 1, 2, 10
    for each in classes:
        if each not in numbers:
            raise unknown("class", str(each), learnt.values())
    return tuple(dict.fromkeys(numbers[each] for each in classes))


def sample_to(place: Path, out: str, *, force: bool = False, **how: object) -> None:
    """`sample`, written to `out`: FILE.png (a sheet), FILE.npz (`images`, uint8 N×H×W×C), or FOLDER/ (a PNG each)."""
    path = Path(out)
    check_place(path)
    kind = "folder" if out.endswith(("/", os.sep)) or path.is_dir() else path.suffix.lower()
    if kind not in (".png", ".npz", "folder"):
        raise RequestError(f'"{out}" is not a place for samples; legal: FILE.png, FILE.npz, FOLDER/ (with the slash).')
    if path.exists() and not force and (path.is_file() or any(path.iterdir())):
        raise RequestError(f"{path} is there already; choose another --out, or replace it with --force.")
    make_place(path if kind == "folder" else path.parent)
    samples = sample(place, **how)
    if kind == ".png":
        save_sheet(sample_sheet(samples, math.ceil(math.sqrt(len(samples)))), path)
    elif kind == ".npz":
        content = BytesIO()
        np.savez_compressed(content, images=to_bytes(samples))
        write_atomically(path, content.getvalue())
    else:
        write_pictures(samples, path)


def write_pictures(samples: Tensor, path: Path) -> None:
    """One PNG a picture; pictures of an earlier call give way, nothing else does."""
    for old in path.glob("sample_*.png"):
        old.unlink()
    new = path / ".samples"

    def fill(folder: Path) -> None:
        for number, picture in enumerate(to_bytes(samples)):
            Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture).save(
                folder / f"sample_{number:05d}.png"
            )

    path.mkdir(exist_ok=True)
    write_folder(new, fill)
    for picture in sorted(new.iterdir()):
        os.replace(picture, path / picture.name)
    shutil.rmtree(new)
