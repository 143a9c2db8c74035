"""Decoded pictures on disk, memory-mapped when read: nothing is decoded twice."""

import errno
import hashlib
import json
import os
import shutil
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock

from palimpsest.core.files import cache_root

RECIPE = 1  # goes up when the same files would be decoded to other pixels
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}
FAULTS = (OSError, ValueError, KeyError, TypeError, EOFError)  # what reading a damaged cache can raise

Pixels = Iterable[tuple[np.ndarray, int] | None]


@dataclass(frozen=True)
class Decoded:
    """pixels: uint8 (N, C, H, W), memory-mapped if cached.  labels: int64 (N,).  skipped: bad pictures left out."""

    pixels: np.ndarray
    labels: np.ndarray
    skipped: int = 0


def fingerprint(root: Path, files: Sequence[Path]) -> list:
    """What tells an unchanged set of files from a changed one: place, names, sizes and times of change."""
    stats = [(file.relative_to(root).as_posix(), file.stat()) for file in files]
    return [str(root.resolve()), [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]]


def cached(key: Mapping, pictures: Callable[[], Pixels]) -> Decoded:
    """The decoded pictures that belong to `key` (anything that JSON can hold), from disk if they are there.

    pictures: makes them anew, as `decode.decode` does. Where the cache cannot be written, they stay in memory, with a
    warning.
    """
    text = json.dumps({"recipe": RECIPE, **key}, sort_keys=True)
    folder = cache_root() / "pictures" / hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    if found := load(folder):
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            return load(folder) or build(folder, pictures())
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        warnings.warn(
            f"the picture cache {folder.parent} cannot be written ({error.strerror}), so the decoded pictures are held "
            "in memory this time; make room, or set $PALIMPSEST_CACHE to another folder.",
            stacklevel=2,
        )
    return in_memory(pictures())


def load(folder: Path) -> Decoded | None:
    """A cache entry, or None where it is absent, incomplete or damaged."""
    try:
        about = json.loads((folder / "about.json").read_text())
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        labels = np.load(folder / "labels.npy")
        if about["checksum"] == checksum(pixels, labels):
            return Decoded(pixels, labels, about["skipped"])
    except FAULTS:
        pass
    return None


def checksum(pixels: np.ndarray, labels: np.ndarray) -> int:
    """Of all labels and of 256 pictures spread over the set: sets larger than memory must not be read whole."""
    rows = np.unique(np.linspace(0, len(pixels) - 1, 256).astype(np.int64))
    return zlib.crc32(pixels[rows].tobytes(), zlib.crc32(repr(pixels.shape).encode() + labels.tobytes()))


def build(folder: Path, pictures: Pixels) -> Decoded:
    """Write a cache entry under a temporary name, and rename it when it is whole. Called under the entry's lock."""
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        labels, skipped = write_pixels(unfinished / "pixels.npy", pictures)
        pixels = np.load(unfinished / "pixels.npy", mmap_mode="r")
        with (unfinished / "labels.npy").open("wb") as file:
            np.save(file, labels)
            flush(file)
        with (unfinished / "about.json").open("wb") as file:
            about = {"shape": pixels.shape, "skipped": skipped, "checksum": checksum(pixels, labels)}
            file.write(json.dumps(about).encode())
            flush(file)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return Decoded(pixels, labels, skipped)


def write_pixels(path: Path, pictures: Pixels) -> tuple[np.ndarray, int]:
    """Append pictures to an .npy file as they come; their labels, and how many were skipped.

    Written as a stream, because a write through a memory map kills the process where a disk is full.
    """
    labels, skipped, shape = [], 0, ()
    with path.open("wb") as file:
        for picture in pictures:
            if picture is None:
                skipped += 1
                continue
            pixels, label = picture
            if not labels:
                shape = pixels.shape
                write_header(file, (0, *shape))
            file.write(pixels.tobytes())
            labels.append(label)
        file.seek(0)
        write_header(file, (len(labels), *shape))  # numpy pads headers, so that the number of rows may grow
        flush(file)
    return np.array(labels, dtype=np.int64), skipped


def write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The header of an .npy file of bytes."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def flush(file: BinaryIO) -> None:
    """To the disk itself, so that a rename never publishes what a power cut can empty."""
    file.flush()
    os.fsync(file.fileno())


def in_memory(pictures: Pixels) -> Decoded:
    """The same, without a disk."""
    everything = list(pictures)
    good = [picture for picture in everything if picture is not None]
    labels = np.array([label for _, label in good], dtype=np.int64)
    return Decoded(np.stack([pixels for pixels, _ in good]), labels, len(everything) - len(good))
