"""Where evaluators are kept: one in the package for the digits, the others in a cache named by data and recipe.

An evaluator is two files beside each other: its weights (safetensors), and a record of what they are (JSON).
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import torch
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load

from palimpsest.core.errors import RequestError
from palimpsest.core.files import cache_root, write_folder
from palimpsest.evaluation.evaluator import Evaluator, build_network
from palimpsest.evaluation.evaluator_training import seconds_to_train, sha256_of, train_evaluator, weights
from palimpsest.evaluation.options import EvaluatorOptions
from palimpsest.evaluation.pictures import Stream, digest

SHIPPED = "digits_evaluator"
RECIPE = 1  # goes up when the same options would train another network


class Record(BaseModel):
    """What a weights file is. `digest` is over the stream's pictures and the recipe, `sha256` over the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    digest: str
    sha256: str
    accuracy: float
    channels: int
    size: tuple[int, int]
    classes: int
    recipe: EvaluatorOptions


class Damaged(Exception):
    """An evaluator's files are missing, cut off or changed."""


def load_evaluator(
    stream: Stream,
    options: EvaluatorOptions | None = None,
    say: Callable[[str], None] = lambda sentence: None,
    device: torch.device | str = "cpu",
) -> Evaluator:
    """The evaluator of a stream, on the CPU: from the package, from the cache, or trained now and put into the cache.

    options: the recipe; None stands for the defaults.  say: is told when training starts, for it can take minutes, how
    far it is, and how accurate the evaluator is.  device: where a resnet18 is trained.
    A damaged cache entry is made again. Processes that want the same evaluator wait for the one that makes it.
    """
    options = options or EvaluatorOptions()
    name = address(stream, options)
    if there := known(name):
        return there
    folder = cache_folder() / name
    with locked(folder, "the evaluators' cache"):
        if there := known(name):
            return there
        where = "one thread" if options.kind == "small_cnn" else str(device)
        say(f"training the evaluator: {options.length} on {where}, kept in {folder}")
        evaluator = train_evaluator(stream.train, stream.test, len(stream.class_names), options, device, say)
        keep(evaluator, stream, options, folder)
        return evaluator


def known(name: str) -> Evaluator | None:
    """The evaluator that has this address, where it is in the package or whole in the cache."""
    for folder, stem in ((files("palimpsest.evaluation"), SHIPPED), (cache_folder() / name, "evaluator")):
        try:
            return read(folder, stem, name)
        except Damaged:
            continue
    return None


def seconds_to_load(stream: Stream, options: EvaluatorOptions, device: torch.device | str) -> float:
    """What `load_evaluator` would take; 0 for an evaluator that is there."""
    if known(address(stream, options)):
        return 0.0
    return seconds_to_train(stream.train, len(stream.class_names), options, device)


def address(stream: Stream, options: EvaluatorOptions) -> str:
    """The name of a cache entry: a digest over the pictures and the recipe."""
    recipe = RECIPE, sorted(options.changed.items())
    content = digest(stream.train, stream.test), len(stream.class_names), recipe
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()


def cache_folder() -> Path:
    """$PALIMPSEST_CACHE/evaluators, or ~/.cache/palimpsest/evaluators."""
    return cache_root() / "evaluators"


@contextmanager
def locked(entry: Path, cache: str) -> Iterator[None]:
    """Alone with one entry of a cache; RequestError where the cache, called `cache`, cannot be written."""
    lock = FileLock(f"{entry}.lock")
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise RequestError(
            f"{cache} cannot be written ({error}); set PALIMPSEST_CACHE to a writable folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def read(folder: Path | Traversable, stem: str, wanted: str) -> Evaluator:
    """The evaluator whose files are `stem`.json and .safetensors in `folder`; Damaged unless it is `wanted`, whole."""
    try:
        record = Record.model_validate_json((folder / f"{stem}.json").read_bytes())
        content = (folder / f"{stem}.safetensors").read_bytes()
        if record.digest != wanted or record.sha256 != sha256_of(content):
            raise Damaged(f"{folder} does not hold what it says")
        module = build_network(record.recipe, (record.channels, *record.size), record.classes)
        module.load_state_dict(load(content))
    except (OSError, ValidationError, SafetensorError, RuntimeError) as error:
        raise Damaged(str(error)) from error
    return Evaluator(module.eval().requires_grad_(False), record.name, record.sha256, record.accuracy)


def keep(evaluator: Evaluator, stream: Stream, options: EvaluatorOptions, folder: Path) -> None:
    """Puts an evaluator into the cache: complete or absent. Called under the entry's lock."""
    write_folder(folder, lambda place: write(evaluator, stream, options, place, "evaluator"))


def write(evaluator: Evaluator, stream: Stream, options: EvaluatorOptions, folder: Path, stem: str) -> None:
    """Writes the two files of an evaluator into `folder`."""
    channels, height, width = stream.train.shape
    record = Record(
        name=evaluator.name,
        digest=address(stream, options),
        sha256=evaluator.sha256,
        accuracy=evaluator.accuracy,
        channels=channels,
        size=(height, width),
        classes=len(stream.class_names),
        recipe=options,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.safetensors").write_bytes(weights(evaluator.module))
    (folder / f"{stem}.json").write_text(json.dumps(record.model_dump(mode="json"), indent=2) + "\n")
