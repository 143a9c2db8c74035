"""Data sets of the Hugging Face hub, by name."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from palimpsest.core.errors import RequestError, unknown
from palimpsest.streams.cache import Decoded
from palimpsest.streams.dataset import TEST_NAMES, DataSet, arrange, decoded
from palimpsest.streams.decode import Stored
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.parquet import columns, numbered, stored


def hub(options: StreamOptions, device: torch.device) -> DataSet:
    """A data set of the hub, "hub:owner/name": downloaded once by `datasets`, which the extra [hub] installs.

    stream.train_split and stream.test_split name its splits; without a test split a share of each class is held out.
    """
    name = options.name.removeprefix("hub:")
    splits = load(name)
    if options.train_split not in splits:
        raise unknown(f"split of {name}", options.train_split, splits)
    test_split = pick_test(options, name, splits)
    train = decode_split(options, splits[options.train_split], f"{name} {options.train_split}")
    test = decode_split(options, splits[test_split], f"{name} {test_split}", like=train) if test_split else None
    features = splits[options.train_split].features
    names = getattr(features[columns(list(features), name)[1]], "names", None) or numbered(train, test)
    return arrange(options, device, name=options.name, train=train, test=test, class_names=names)


def load(name: str) -> Mapping[str, Any]:
    """The splits of a hub data set by name. Raises RequestError without the extra, or where it cannot be had."""
    try:
        import datasets
    except ImportError as error:
        raise RequestError(
            f'"hub:{name}" is read by the package `datasets`, which is not installed; '
            "pip install 'palimpsest[hub]', or name a data set on this disk with --set stream.path=FOLDER."
        ) from error
    try:
        return datasets.load_dataset(name)
    except Exception as error:  # missing, gated, no network, several configurations: each raises its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(
            f'the hub data set "{name}" could not be loaded ({reason}); check owner/name and the network, or name a '
            "data set on this disk with --set stream.path=FOLDER."
        ) from error


def pick_test(options: StreamOptions, name: str, splits: Mapping[str, Any]) -> str | None:
    """The split to measure on; None where there is none and none but the default was asked for."""
    if options.test_split in splits:
        return options.test_split
    if options.test_split != "test":
        raise unknown(f"split of {name}", options.test_split, splits)
    return next((split for split in TEST_NAMES if split in splits), None)


def decode_split(options: StreamOptions, split: Any, where: str, like: Decoded | None = None) -> Decoded:
    """The pictures of one split, through our cache, so that the hub's pictures are decoded once too."""
    key = {"hub": where, "fingerprint": split._fingerprint, "rows": len(split)}
    return decoded(options, key, lambda: rows(split, where), like)


def rows(split: Any, where: str) -> Iterator[Stored]:
    """The pictures of a split as they are stored, not decoded by `datasets`."""
    import datasets

    image, label = columns(split.column_names, where)
    for number, row in enumerate(split.cast_column(image, datasets.Image(decode=False))):
        yield stored(row[image], row[label], f"{where} row {number}")
