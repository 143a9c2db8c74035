"""The manifest: what a folder of drawn pictures says about itself. It holds no times and no places."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from palimpsest.streams.manifest import FORMAT
from palimpsest.synthesis.request import Request
from palimpsest.synthesis.subjects import Subject

FOUND = ("flagged", "retried", "pictures")  # what drawing adds to the settings


def settings_of(
    request: Request,
    about: Mapping[str, Any],
    subjects: Sequence[Subject],
    template: str,
    sizes: tuple[tuple[int, int], tuple[int, int]],
    device: str,
) -> dict[str, Any]:
    """All that decides the pictures: a manifest but for what drawing adds.

    about: what the painter says of itself.  sizes: (height, width) as drawn and as stored.
    """
    native, stored = sizes
    packages = ["diffusers", "torch", "pillow", *(["transformers"] if template else [])]
    return {
        "format": FORMAT,
        **about,
        "native_size": list(native),
        "size": list(stored),
        "count": request.count,
        "batch": request.batch,
        "seed": request.seed,
        "template": template,
        "negative_prompt": request.negative,
        "device": device,
        "versions": {package: version_of(package) for package in packages},
        "classes": [asdict(subject) | {"folder": subject.folder} for subject in subjects],
    }


def version_of(package: str) -> str:
    """Of an installed package, or ""."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def completed(settings: Mapping[str, Any], pictures: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The manifest. pictures: of each class, in order, with `file`, `seed`, `sha256` and how many tries were `flagged`."""
    classes = []
    for entry, found in zip(settings["classes"], pictures, strict=True):
        classes.append(entry | counted(found) | {"pictures": list(found)})
    together = counted([picture for found in pictures for picture in found])
    return {name: value for name, value in settings.items() if name != "classes"} | together | {"classes": classes}


def counted(pictures: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """flagged: tries that the safety checker flagged and that were thrown away.  retried: pictures that took several."""
    flags = [picture["flagged"] for picture in pictures]
    return {"flagged": sum(flags), "retried": sum(flag > 0 for flag in flags)}


def without_findings(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a manifest holds."""
    classes = [{name: value for name, value in entry.items() if name not in FOUND} for entry in manifest["classes"]]
    return {name: value for name, value in manifest.items() if name not in FOUND} | {"classes": classes}


def difference(there: Any, asked: Any, place: str = "") -> str:
    """The first thing that differs, such as "steps is 50 there, and 20 was asked for"; "" where nothing does."""
    if isinstance(there, Mapping) and isinstance(asked, Mapping):
        pairs = [(f"{place}.{key}" if place else key, there.get(key), asked.get(key)) for key in {**there, **asked}]
        return next((said for key, one, other in pairs if (said := difference(one, other, key))), "")
    if isinstance(there, list) and isinstance(asked, list) and place == "classes":
        if len(there) != len(asked):
            return f"{place} are {len(there)} there, and {len(asked)} were asked for"
        pairs = [(f"classes[{one.get('name')}]", one, other) for one, other in zip(there, asked, strict=True)]
        return next((said for key, one, other in pairs if (said := difference(one, other, key))), "")
    return "" if there == asked else f"{place} is {json.dumps(there)} there, and {json.dumps(asked)} was asked for"


def as_json(thing: Mapping[str, Any]) -> bytes:
    """The same bytes for the same content."""
    return (json.dumps(thing, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
