"""Checkpoints: the newest two, each complete or absent."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from palimpsest.core.files import write_folder

KEPT = 2


class Damaged(Exception):
    """A checkpoint is missing a part, or its checksum is wrong."""


@dataclass(frozen=True)
class Checkpoints:
    """The folder `checkpoints/` of a run."""

    folder: Path

    def save(self, numbers: Mapping, tensors: Mapping[str, Tensor]) -> Path:
        """Write the next checkpoint, then let go of all but the newest two.

        Raises RunError where the disk is full; the checkpoints that were there are then still there.
        """
        path = self.folder / f"{self.next_number():08d}"
        tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        size = sum(tensor.nbytes for tensor in tensors.values())
        write_folder(path, lambda folder: fill(folder, numbers, tensors), size)
        for old in self.paths()[:-KEPT]:
            shutil.rmtree(old)
        return path

    def latest(self, say: Callable[[str], None]) -> Path | None:
        """The newest good checkpoint, or None; `say` is told of damaged ones, which are removed to be written anew."""
        for path in reversed(self.paths()):
            try:
                check(path)
                return path
            except Damaged as damage:
                say(f"the checkpoint {path.name} is damaged ({damage}); going back to the one before it")
                shutil.rmtree(path)
        return None

    def paths(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        return sorted(path for path in self.folder.glob("[0-9]*") if path.is_dir())

    def next_number(self) -> int:
        """The number after the newest."""
        return int(self.paths()[-1].name) + 1 if self.paths() else 1


def fill(folder: Path, numbers: Mapping, tensors: Mapping[str, Tensor]) -> None:
    """Write the two files of a checkpoint."""
    weights = folder / "state.safetensors"
    save_file(unshared(tensors), weights)
    record = {**numbers, "sha256": digest(weights)}
    content = json.dumps(record)
    (folder / "state.json").write_text(json.dumps({"state": record, "sha256": digest_text(content)}))


def read(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """The numbers and tensors of a checkpoint that has been checked."""
    return json.loads((path / "state.json").read_text())["state"], load_file(path / "state.safetensors")


def check(path: Path) -> None:
    """Raise Damaged unless every byte of a checkpoint is as it was written."""
    try:
        wrapped = json.loads((path / "state.json").read_text())
        numbers = wrapped["state"]
        if digest_text(json.dumps(numbers)) != wrapped["sha256"]:
            raise Damaged("state.json has changed")
        if digest(path / "state.safetensors") != numbers["sha256"]:
            raise Damaged("state.safetensors has changed")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(str(error) or type(error).__name__) from error


def unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in plain layout that own their memory, for safetensors refuses others and two names for one."""
    seen: set[int] = set()
    owned = {}
    for name, tensor in tensors.items():
        place = tensor.data_ptr() if tensor.numel() else 0
        owned[name] = tensor.clone() if place in seen else tensor.contiguous()
        seen.add(place)
    return owned


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_text(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
