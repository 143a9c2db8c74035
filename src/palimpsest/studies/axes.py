"""What a study varies, as it is given on the command line: values of dotted keys, and seeds."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.runs.tables import parse_setting

OWN_OPTIONS = {"seed": "--seeds", "strategy": "--strategies", "strategy.name": "--strategies"}


def parse_axes(texts: Sequence[str]) -> dict[str, list[Any]]:
    """`key=v1,v2` from the command line, as the values of each key.

    Commas inside brackets, braces and quotes belong to a value. Raises RequestError for what is no key=value, and for a
    key that is given twice.
    """
    axes: dict[str, list[Any]] = {}
    for text in texts:
        key, _ = parse_setting(text)
        if key in axes:
            raise RequestError(f'--set {key} is given twice; list its values once, as in "--set {key}=1,2".')
        axes[key] = [parse_setting(f"{key}={value}")[1] for value in split_values(text.partition("=")[2])]
    return axes


def listed(axes: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values of each key as a list; a single value is a list of one. RequestError for keys that have options."""
    found = {key: list(value) if isinstance(value, (list, tuple)) else [value] for key, value in axes.items()}
    for key, values in found.items():
        if key in OWN_OPTIONS:
            raise RequestError(f'"{key}" cannot be set in a study; give {OWN_OPTIONS[key]}.')
        if not values:
            raise RequestError(f'"{key}" is set to no value at all; give at least one.')
    return found


def split_values(text: str) -> list[str]:
    """A text cut at the commas that stand outside brackets, braces and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if letter in "\"'" and quote in ("", letter):
            quote = "" if quote else letter
        depth += 0 if quote else (letter in "[{") - (letter in "]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def parse_seeds(seeds: str | Sequence[Any]) -> tuple[int, ...]:
    """Seeds as integers; "0,1,2" is read as a list. RequestError for what is no integer from 0, and for none."""
    if not seeds:
        raise RequestError("a study needs at least one seed, as in --seeds 0,1,2.")
    found = seeds.split(",") if isinstance(seeds, str) else seeds
    for seed in found:
        if not re.fullmatch(r"\s*\d+\s*", str(seed)):
            raise RequestError(f'--seeds takes integers from 0 with commas between them, and was given "{seed}".')
    return tuple(int(seed) for seed in found)


def combinations(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """All ways to take one value of each key."""
    return (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))


def owner_of(key: str) -> str:
    """The strategy whose table a dotted key lies in; "" for a key of the experiment."""
    first, _, rest = key.partition(".")
    return rest.partition(".")[0] if first == "strategy" else ""
