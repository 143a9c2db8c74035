"""The folder that pictures are drawn into: begun, gone on with, and finished.

OUT/apple/00000.png ...      a sub-folder a class
OUT/manifest.json            when all is there
OUT/.synthesis/              until then: the settings, and a small record of each batch whose pictures are there
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from palimpsest.core.errors import RequestError
from palimpsest.core.files import check_place, make_place, write_atomically
from palimpsest.streams.manifest import NAME, WORK, read_manifest
from palimpsest.synthesis.batches import batches_of, wanted
from palimpsest.synthesis.manifest import as_json, completed, difference, without_findings

PICTURE = re.compile(r"\.?\d{5,}\.png(\.tmp)?")  # also one that was being written


@dataclass(frozen=True)
class SynthesisFolder:
    """OUT/."""

    path: Path

    @property
    def work(self) -> Path:
        return self.path / WORK

    def refuse_foreign(self) -> None:
        """Refuse a file, and a folder with things in it that no `synthesize` has put there."""
        check_place(self.path)
        if self.path.exists() and not self.path.is_dir():
            raise RequestError(f"{self.path} is a file, and a set of pictures is a folder; choose another --out.")
        if not self.path.is_dir() or self.work.is_dir() or read_manifest(self.path):
            return
        if found := sorted(entry.name for entry in self.path.iterdir()):
            raise RequestError(
                f"{self.path} holds files that are not a set of pictures ({found[0]}); choose another --out."
            )

    def settings(self) -> dict[str, Any] | None:
        """What the folder is made with; None where nothing was begun. Of a set that is growing it is the larger count."""
        manifest, begun = read_manifest(self.path), self.begun()
        if manifest is None:
            return begun
        found = without_findings(manifest)
        return found if begun is None else raised(found, begun)

    def begun(self) -> dict[str, Any] | None:
        """The settings of what was begun and is not finished."""
        try:
            return json.loads((self.work / "settings.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def refuse_other(self, settings: Mapping[str, Any]) -> None:
        """Refuse a folder that holds pictures that were made with other settings; more of the same pictures may be asked for."""
        there = self.settings()
        if there is None or not self.has_pictures or self.holds(settings):
            return
        if differs := difference(raised(there, settings), settings):
            raise RequestError(
                f"{self.path} is made with other settings: {differs}; choose another --out, or replace it with --force."
            )

    @property
    def finished(self) -> bool:
        """Whether there is a manifest."""
        return (self.path / NAME).exists()

    @property
    def has_pictures(self) -> bool:
        """Whether any batch is whole."""
        return self.finished or bool(self.records())

    def holds(self, settings: Mapping[str, Any]) -> bool:
        """Whether it is finished with these settings."""
        manifest = read_manifest(self.path)
        return manifest is not None and not difference(without_findings(manifest), settings)

    def check_complete(self) -> None:
        """Refuse a finished folder that has lost pictures, or holds others in their place."""
        manifest = read_manifest(self.path)
        for entry in manifest["classes"]:
            for picture in entry["pictures"]:
                file = self.path / entry["folder"] / picture["file"]
                there = file.is_file()
                if there and hashlib.sha256(file.read_bytes()).hexdigest() == picture["sha256"]:
                    continue
                what = "is no longer the picture that was drawn" if there else "is no longer there"
                raise RequestError(
                    f"{self.path} was finished, and {file.relative_to(self.path)} {what}; bring it back, or make all pictures again "
                    "with --force."
                )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While inside, no other command draws into this folder."""
        make_place(self.work)
        lock = FileLock(self.work / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RequestError(
                f"another process is drawing into {self.path}; wait for it, or stop it first."
            ) from error
        try:
            yield
        finally:
            lock.release()
            self.tidy()

    def tidy(self) -> None:
        """Remove the records of a finished folder, whose manifest holds all that they held; not those of one that is growing."""
        manifest, begun = read_manifest(self.path), self.begun() or {}
        if manifest is not None and begun.get("count", 0) <= manifest.get("count", 0):
            shutil.rmtree(self.work, ignore_errors=True)

    def begin(self, settings: Mapping[str, Any], anew: bool) -> None:
        """Write down the settings. anew: what is there goes first, as it also does where nothing was drawn with other settings.

        A finished folder that is to grow has its records again, and keeps its manifest until it has all.
        """
        there = self.settings()
        if not anew:
            self.refuse_other(settings)
        if there is not None and (anew or (not self.has_pictures and difference(there, settings))):
            self.clear(there)
        if manifest := read_manifest(self.path):
            self.take_apart(manifest)
        write_atomically(self.work / "settings.json", as_json(settings))

    def take_apart(self, manifest: Mapping[str, Any]) -> None:
        """Write the records that a manifest was put together from, where there are none yet."""
        size = manifest["batch"]
        for subject, entry in enumerate(manifest["classes"]):
            for first in range(0, len(entry["pictures"]), size):
                record = {"folder": entry["folder"], "pictures": entry["pictures"][first : first + size]}
                if not (place := self.record_of(subject, first // size)).exists():
                    write_atomically(place, as_json(record))

    def clear(self, settings: Mapping[str, Any]) -> None:
        """Remove what was drawn, and nothing else."""
        (self.path / NAME).unlink(missing_ok=True)
        for record in self.work.glob("*.json"):
            record.unlink()
        for entry in settings["classes"]:
            folder = self.path / entry["folder"]
            for file in folder.glob("*") if folder.is_dir() else ():
                if PICTURE.fullmatch(file.name):
                    file.unlink()
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def record_of(self, subject: int, batch: int) -> Path:
        """Where a batch of a class is recorded, both by their place in order."""
        return self.work / f"{subject:05d}-{batch:06d}.json"

    def keep(self, subject: int, batch: int, folder: str, pictures: Sequence[tuple[dict[str, Any], bytes]]) -> None:
        """Write the pictures of a batch, with what the manifest says of each, and then its record. Those that are there stay."""
        make_place(self.path / folder)
        there = self.recorded(self.record_of(subject, batch))
        for picture, content in pictures[len(there) :]:
            write_atomically(self.path / folder / picture["file"], content)
        record = {"folder": folder, "pictures": there + [picture for picture, _ in pictures[len(there) :]]}
        write_atomically(self.record_of(subject, batch), as_json(record))

    def recorded(self, record: Path) -> list[dict[str, Any]]:
        """What is recorded of the pictures of a batch; nothing where one of them is not there."""
        if not record.exists():
            return []
        found = json.loads(record.read_text(encoding="utf-8"))
        there = all((self.path / found["folder"] / picture["file"]).is_file() for picture in found["pictures"])
        return found["pictures"] if there else []

    def done(self, settings: Mapping[str, Any]) -> set[tuple[int, int]]:
        """The batches of which all pictures that are wanted are there, as (class, batch), both by their place in order."""
        records = {numbers_of(record): record for record in self.records()}
        if not records and (manifest := read_manifest(self.path)):
            numbers = range(batches_of(manifest["count"], manifest["batch"]))
            whole = [number for number in numbers if wanted(manifest, number) >= wanted(settings, number)]
            return {(subject, number) for subject in range(len(manifest["classes"])) for number in whole}
        return {place for place, record in records.items() if len(self.recorded(record)) >= wanted(settings, place[1])}

    def records(self) -> list[Path]:
        """What is recorded of batches."""
        return list(self.work.glob("?????-??????.json"))

    def finish(self, settings: Mapping[str, Any], batches: int) -> dict[str, Any]:
        """Put the records of all `batches` of each class together. The manifest is written last of all."""
        pictures = []
        for subject in range(len(settings["classes"])):
            records = [
                json.loads(self.record_of(subject, batch).read_text(encoding="utf-8")) for batch in range(batches)
            ]
            pictures.append([picture for record in records for picture in record["pictures"]])
        manifest = completed(settings, pictures)
        write_atomically(self.path / NAME, as_json(manifest))
        return manifest


def raised(there: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are there, with the count that is asked for where it is more: the pictures that are there are its first ones."""
    return {**there, "count": max(there["count"], settings.get("count", 0))} if "count" in there else dict(there)


def numbers_of(record: Path) -> tuple[int, int]:
    """The class and the batch of a record, both by their place in order."""
    subject, batch = record.stem.split("-")
    return int(subject), int(batch)
