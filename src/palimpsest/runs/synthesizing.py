"""`palimpsest synthesize`, which also takes a run: then its last model draws."""

import hashlib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock

from palimpsest.core.files import cache_root, make_place
from palimpsest.runs.models import model_of
from palimpsest.synthesis import synthesize as drawing
from palimpsest.synthesis.cost import SynthesisEstimate
from palimpsest.synthesis.manifest import as_json
from palimpsest.synthesis.request import MODEL


def synthesize(model: str | Path = MODEL, **asked: Any) -> dict[str, Any]:
    """As `synthesis.synthesize.synthesize`; model: or a run directory."""
    return drawing.synthesize(resolved(model), **asked)


def estimated(model: str | Path = MODEL, **asked: Any) -> SynthesisEstimate:
    """As `synthesis.synthesize.estimated`; model: or a run directory."""
    return drawing.estimated(resolved(model), **asked)


def synthesized(model: str | Path, side: int, **asked: Any) -> Path:
    """The folder of the cache that holds the set which such a call draws, drawn now as far as it is missing.

    side: pixels that are kept, or the model's own where these are not more.
    It is named by all that decides its pictures. Runs that are started by themselves wait for each other there.
    """
    prepared = drawing.prepare(drawing.request_of(resolved(model), asked), side)
    name = hashlib.blake2b(as_json(prepared.settings), digest_size=8).hexdigest()
    folder = make_place(cache_root() / "synthetic") / name
    with FileLock(f"{folder}.lock") if prepared.machine.world == 1 else nullcontext():
        drawing.draw_into(folder, prepared)
    return folder


def resolved(model: str | Path) -> str:
    """The folder of a run's last model; anything else as it is."""
    place = Path(model).expanduser()
    return str(model_of(place, None)) if (place / "config.toml").is_file() else str(model)
