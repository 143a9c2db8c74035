"""`palimpsest synthesize`, which also takes a run: then its last model draws."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock

from palimpsest.core.files import cache_root, make_place, write_atomically
from palimpsest.learning.devices import Machine
from palimpsest.runs.models import model_of
from palimpsest.streams.manifest import NAME
from palimpsest.synthesis import synthesize as drawing
from palimpsest.synthesis.cost import SynthesisEstimate
from palimpsest.synthesis.manifest import as_json
from palimpsest.synthesis.request import MODEL


def synthesize(model: str | Path = MODEL, **asked: Any) -> dict[str, Any]:
    """As `synthesis.synthesize.synthesize`; model: or a run directory."""
    return drawing.synthesize(resolved(model), **asked)


def estimated(model: str | Path = MODEL, out: str | Path | None = None, **asked: Any) -> SynthesisEstimate:
    """As `synthesis.synthesize.estimated`; model: or a run directory."""
    return drawing.estimated(resolved(model), out, **asked)


def synthesized(model: str | Path, side: int, **asked: Any) -> Path:
    """The folder of the cache that holds the set which such a call draws, or more of it; drawn now as far as it is missing.

    side: pixels that are kept, or the model's own where these are not more.
    It is named by all that decides its pictures, and by their count: fewer pictures are the first ones of more. Runs that are started
    by themselves wait for each other there.
    """
    folder, prepared = place_of(model, side, asked)
    machine = prepared.machine
    make_place(folder.parent)
    with FileLock(f"{folder}.lock") if machine.world == 1 else nullcontext(), timed(folder, machine):
        drawing.draw_into(folder, prepared)
    return folder


def seconds_to_synthesize(model: str | Path, side: int, **asked: Any) -> float:
    """What the drawing in `synthesized` would take as far as it is missing, from a batch of few steps."""
    folder, prepared = place_of(model, side, asked)
    return drawing.estimate_of(prepared, folder).seconds


def place_of(model: str | Path, side: int, asked: dict[str, Any]) -> tuple[Path, drawing.Prepared]:
    """The folder of the cache for a set, with the model opened."""
    prepared = drawing.prepare(drawing.request_of(resolved(model), asked), side)
    decides = {name: value for name, value in prepared.settings.items() if name != "count"}
    name = hashlib.blake2b(as_json(decides), digest_size=8).hexdigest()
    root = cache_root() / "synthetic"
    count = prepared.machine.told(fewest(root, name, prepared.request.count))
    return root / f"{name}-{count}", prepared.asking_for(count)


def fewest(root: Path, name: str, count: int) -> int:
    """The count of the smallest finished set of this name that has so many pictures of each class; `count` where there is none."""
    there = (int(manifest.parent.name.removeprefix(f"{name}-")) for manifest in root.glob(f"{name}-*/{NAME}"))
    return min((each for each in there if each >= count), default=count)


@contextmanager
def timed(folder: Path, machine: Machine) -> Iterator[None]:
    """Add the time inside to that of a set that is not finished yet. It stands beside the folder, which holds no times."""
    began, finished = time.monotonic(), (folder / NAME).exists()
    try:
        yield
    finally:
        if machine.main and not finished:
            spent = seconds_of(folder) + machine.world * (time.monotonic() - began)
            write_atomically(clock_of(folder), f"{spent:.1f}".encode())


def seconds_of(folder: Path) -> float:
    """How long a set of the cache has been drawn, all processes together; 0 where that is not known."""
    return float(clock_of(folder).read_text()) if clock_of(folder).exists() else 0.0


def clock_of(folder: Path) -> Path:
    """The file that holds it."""
    return folder.with_name(f"{folder.name}.seconds")


def resolved(model: str | Path) -> str:
    """The folder of a run's last model; anything else as it is."""
    place = Path(model).expanduser()
    return str(model_of(place, None)) if (place / "config.toml").is_file() else str(model)
