"""The manifest that lies beside drawn pictures, as far as reading them needs it."""

import json
from pathlib import Path
from typing import Any

from palimpsest.core.errors import RequestError

NAME = "manifest.json"
WORK = ".synthesis"  # a folder beside it, until all is there
FORMAT = 1


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder; None where it has none. Raises RequestError for one that cannot be used."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for entry in found["classes"]:
            entry["name"], entry["folder"], [(picture["file"], picture["sha256"]) for picture in entry["pictures"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{path} is damaged, or not the manifest of a set of pictures ({type(error).__name__}: {error}); remove it, and the "
            "folder is read without."
        ) from error
    if found.get("format") != FORMAT:
        raise RequestError(f"{path} has the format {found.get('format')}, and this version reads format {FORMAT}.")
    return found
