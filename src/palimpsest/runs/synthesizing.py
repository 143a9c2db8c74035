"""`palimpsest synthesize`, which also takes a run: then its last model draws."""

from pathlib import Path
from typing import Any

from palimpsest.runs.models import model_of
from palimpsest.synthesis import synthesize as drawing
from palimpsest.synthesis.cost import SynthesisEstimate
from palimpsest.synthesis.request import MODEL


def synthesize(model: str | Path = MODEL, **asked: Any) -> dict[str, Any]:
    """As `synthesis.synthesize.synthesize`; model: or a run directory."""
    return drawing.synthesize(resolved(model), **asked)


def estimated(model: str | Path = MODEL, **asked: Any) -> SynthesisEstimate:
    """As `synthesis.synthesize.estimated`; model: or a run directory."""
    return drawing.estimated(resolved(model), **asked)


def resolved(model: str | Path) -> str:
    """The folder of a run's last model; anything else as it is."""
    place = Path(model).expanduser()
    return str(model_of(place, None)) if (place / "config.toml").is_file() else str(model)
