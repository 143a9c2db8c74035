"""Experiments as they are written: TOML files, and settings from the command line. Imports nothing heavy."""

import tomllib
from pathlib import Path
from typing import Any

from palimpsest.core.errors import RequestError, unknown

FOLDER = Path(__file__).parent.parent / "experiments"


def experiment_names() -> list[str]:
    """The experiments that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_experiment(place: str | Path) -> dict[str, Any]:
    """The tables of an experiment: a name from `palimpsest list experiments`, or a TOML file."""
    path = Path(place)
    if str(place) in experiment_names():
        path = FOLDER / f"{place}.toml"
    elif path.suffix != ".toml" and not path.is_file():
        raise unknown("experiment", str(place), experiment_names())
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"the experiment {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"the experiment {path} is not valid TOML: {error}.") from error


def parse_setting(text: str) -> tuple[str, Any]:
    """`key=value` from the command line; the value is read as TOML, and as plain text where it is none."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise RequestError(f'--set takes key=value, such as training.steps=500, and was given "{text}".')
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value
