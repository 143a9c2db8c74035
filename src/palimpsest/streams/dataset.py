"""A labelled data set before it is cut into tasks: where it lies, where it is held, what is held out."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.random import generator
from palimpsest.streams.cache import Decoded, cached
from palimpsest.streams.decode import Form, Stored, decode
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.pictures import Pictures

TEST_NAMES = ("test", "validation", "valid", "val")


@dataclass(frozen=True)
class DataSet:
    """train, test: pictures of all classes.  class_names: by class number.  skipped: bad pictures left out."""

    name: str
    train: Pictures
    test: Pictures
    class_names: tuple[str, ...]
    skipped: int = 0


def locate(options: StreamOptions) -> Path:
    """The folder of a data set: stream.path/name, else stream.path itself, else $PALIMPSEST_DATA/name.

    Raises RequestError naming the near match among the data sets that are there.
    """
    root = os.environ.get("PALIMPSEST_DATA", "")
    given = Path(options.path).expanduser()
    candidates = [given / options.name, given] if options.path else [Path(root) / options.name] if root else []
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    if options.path:
        raise RequestError(f"stream.path names {given}, and there is no such folder; name the folder of a data set.")
    there = {"digits"} | (
        {entry.name for entry in Path(root).iterdir() if entry.is_dir()} if root and Path(root).is_dir() else set()
    )
    here = f"now {root}" if root else "now unset"
    raise RequestError(
        f"{unknown('data set', options.name, there)} Data sets lie in the folder that $PALIMPSEST_DATA names ({here}), "
        "or name one with --set stream.path=FOLDER."
    )


def called(options: StreamOptions, folder: Path) -> str:
    """The name of a data set that was read from `folder`; "digits" belongs to the embedded one."""
    return folder.resolve().name if options.name == "digits" else options.name


def form_of(options: StreamOptions, like: Decoded | None = None) -> Form:
    """What the options make of a picture; test pictures come to the shape of the training pictures."""
    shape = None if like is None else tuple(like.pixels.shape[1:])
    return Form(options.size, shape[0] if shape else options.channels, options.resize, shape)


def decoded(
    options: StreamOptions, key: Mapping, pictures: Callable[[], Iterable[Stored]], like: Decoded | None = None
) -> Decoded:
    """Stored pictures as arrays, through the cache. key: what tells them from any other pictures."""
    form, skip = form_of(options, like), options.bad_images == "skip"
    whole = {
        **key,
        "size": form.size,
        "channels": form.channels,
        "resize": form.resize,
        "like": form.like,
        "skip": skip,
    }
    return cached(whole, lambda: decode(pictures(), form, skip=skip))


def arrange(
    options: StreamOptions,
    device: torch.device,
    *,
    name: str,
    train: Decoded,
    test: Decoded | None,
    class_names: Sequence[str],
    white: int = 255,
) -> DataSet:
    """A data set with its pictures where they are to be held. Without a test set a share of each class is held out.

    Raises RequestError for a label that no class name belongs to.
    """
    parts = [train] if test is None else [train, test]
    for part in parts:
        check_labels(part.labels, class_names, name)
    resident = fits(options.on_device, sum(part.pixels.nbytes for part in parts), device)
    held = [pictures_of(part, white, device, resident) for part in parts]
    if test is None:
        kept, out = stratified(train.labels, options.test_share, options.split_seed)
        held = [held[0].subset(kept), held[0].subset(out)]
    if 0 < options.limit < len(held[0]):
        held[0] = held[0].subset(torch.arange(options.limit))
    return DataSet(name, held[0], held[1], tuple(class_names), sum(part.skipped for part in parts))


def check_labels(labels: np.ndarray, class_names: Sequence[str], name: str) -> None:
    """Refuse labels that no class name belongs to."""
    wrong = labels[(labels < 0) | (labels >= len(class_names))]
    if len(wrong):
        raise RequestError(
            f'data set "{name}" has a picture with the label {wrong[0]}, and it has {len(class_names)} classes; '
            f"legal labels are 0 to {len(class_names) - 1}."
        )


def pictures_of(part: Decoded, white: int, device: torch.device, resident: bool) -> Pictures:
    """Decoded pictures, copied to the device or left where they are."""
    pixels = torch.from_numpy(np.array(part.pixels)).to(device) if resident else part.pixels
    return Pictures(pixels, torch.from_numpy(part.labels), white, device=device)


def fits(on_device: str, size: int, device: torch.device) -> bool:
    """Whether `size` bytes are to be held on the device: as asked, or if they are less than half of what is free."""
    if on_device != "auto":
        return on_device == "yes"
    cuda = device.type == "cuda"
    free = torch.cuda.mem_get_info(device)[0] if cuda else psutil.virtual_memory().available
    return size < free / 2


def stratified(labels: np.ndarray, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows kept and rows held out, in stored order: `share` of each class, rounded, drawn by (seed, class).

    A class keeps at least one picture, and of two or more at least one is held out, unless the share is 0.
    """
    out = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(round(len(rows) * share), 1), len(rows) - 1) if share else 0
        shuffled = torch.randperm(len(rows), generator=generator("split", seed, int(label)))
        out[rows[shuffled[:count].numpy()]] = True
    return torch.from_numpy(np.flatnonzero(~out)), torch.from_numpy(np.flatnonzero(out))


def set_apart(train: Pictures, share: float, seed: int, class_names: Sequence[str]) -> tuple[Pictures, Pictures]:
    """Training pictures that tasks are made of, and those held back: a share of each class below 1, or a number of them.

    Drawn by (seed, class), whatever the order of classes. Raises RequestError where a class would keep none, or hold back none.
    """
    apart = []
    for number, name in enumerate(class_names):
        rows = (train.labels == number).nonzero().squeeze(1).cpu()
        count = int(share) if share >= 1 else round(share * len(rows))
        if share and len(rows) and not 1 <= count < len(rows):
            raise RequestError(
                f'stream.held_back = {share:g} of the {len(rows)} training pictures of class {number} ("{name}") would be {count}; '
                f"give a number from 1 to {len(rows) - 1}, or a share that leaves some on both sides."
            )
        apart.append(rows[torch.randperm(len(rows), generator=generator("held back", seed, number))[:count]])
    out = torch.zeros(len(train), dtype=torch.bool)
    out[torch.cat(apart)] = True
    return (train.subset((~out).nonzero().squeeze(1)) if share else train), train.subset(out.nonzero().squeeze(1))
