"""`palimpsest synthesize`, which also takes a run: then its last model draws."""

import hashlib
from pathlib import Path
from typing import Any

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


def name_of(model: str | Path = MODEL, **asked: Any) -> str:
    """A name for the set that such a call draws: another one wherever a picture would be another."""
    settings = drawing.prepare(drawing.request_of(resolved(model), asked)).settings
    return hashlib.blake2b(as_json(settings), digest_size=8).hexdigest()


def resolved(model: str | Path) -> str:
    """The folder of a run's last model; anything else as it is."""
    place = Path(model).expanduser()
    return str(model_of(place, None)) if (place / "config.toml").is_file() else str(model)
