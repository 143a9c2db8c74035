"""Parquet files in the hub's layout for pictures."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from palimpsest.core.errors import RequestError
from palimpsest.streams.cache import Decoded, fingerprint
from palimpsest.streams.dataset import TEST_NAMES, DataSet, arrange, called, decoded, locate
from palimpsest.streams.decode import Stored
from palimpsest.streams.options import StreamOptions

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label")


def parquet(options: StreamOptions, device: torch.device) -> DataSet:
    """train*.parquet and test*.parquet in the hub's layout: image {bytes, path}, label, class names in the schema.

    Without a test (or validation) file a share of each class is held out, drawn with a seed.
    """
    root = locate(options)
    train_files = split_files(root, ("train",))
    if not train_files:
        found = ", ".join(file.name for file in parquet_files(root))
        raise RequestError(f"{root} holds no train*.parquet (found: {found}); name the training files train*.parquet.")
    test_files = next((files for name in TEST_NAMES if (files := split_files(root, (name,)))), None)
    train = decode_rows(options, root, train_files)
    test = decode_rows(options, root, test_files, like=train) if test_files else None
    names = class_names(train_files[0]) or numbered(train, test)
    return arrange(options, device, name=called(options, root), train=train, test=test, class_names=names)


def parquet_files(root: Path) -> list[Path]:
    """Parquet files in a folder and in the folders right below it (the hub puts them into data/), sorted."""
    return sorted(file for pattern in ("*.parquet", "*/*.parquet") for file in root.glob(pattern))


def split_files(root: Path, names: Sequence[str]) -> list[Path]:
    """The files of a split: train.parquet, data/train-00000-of-00002.parquet, train/0000.parquet."""
    return [
        file
        for file in parquet_files(root)
        if any(part.startswith(tuple(names)) for part in file.relative_to(root).parts)
    ]


def numbered(*parts: Decoded | None) -> list[str]:
    """Names for classes that have none: their numbers."""
    return [str(number) for number in range(1 + max(int(part.labels.max()) for part in parts if part is not None))]


def class_names(file: Path) -> list[str]:
    """The names in a file's schema (metadata key "huggingface"), or none."""
    schema = pq.read_schema(file)
    label = columns(schema.names, str(file))[1]
    with suppress(KeyError, TypeError, ValueError):
        return list(json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][label]["names"])
    return []


def columns(names: Sequence[str], where: str) -> tuple[str, str]:
    """The columns that hold pictures and labels. Raises RequestError where there is none of the legal names."""
    picked = [next((name for name in legal if name in names), None) for legal in (IMAGE_COLUMNS, LABEL_COLUMNS)]
    if None in picked:
        raise RequestError(
            f"{where} has the columns {', '.join(names)}, and needs one of {', '.join(IMAGE_COLUMNS)} and one of "
            f"{', '.join(LABEL_COLUMNS)}; rename them."
        )
    return picked[0], picked[1]


def decode_rows(options: StreamOptions, root: Path, files: Sequence[Path], like: Decoded | None = None) -> Decoded:
    """The pictures of one split, file after file."""
    key = {"files": fingerprint(root, files)}
    return decoded(options, key, lambda: (picture for file in files for picture in rows(file)), like)


def rows(file: Path) -> Iterator[Stored]:
    """The pictures of one file as they are stored. Raises RequestError for a file that cannot be read."""
    try:
        table = pq.ParquetFile(file)
        image, label = columns(table.schema_arrow.names, str(file))
        if not pa.types.is_integer(table.schema_arrow.field(label).type):
            kind = table.schema_arrow.field(label).type
            raise RequestError(f'{file}: column "{label}" holds {kind}; labels must be whole numbers.')
        number = 0
        for batch in table.iter_batches(256, columns=[image, label]):
            for cell, value in zip(batch[image].to_pylist(), batch[label].to_pylist(), strict=True):
                yield stored(cell, value, f"{file.name} row {number}")
                number += 1
    except (pa.ArrowException, OSError) as error:
        raise RequestError(f"{file} cannot be read as parquet ({error}); get the file again.") from error


def stored(cell: dict | bytes | None, label: int | None, where: str) -> Stored:
    """One row: the picture's bytes, or the file that it points to (where the hub's package keeps pictures). A missing label is −1, which no class has."""
    cell = cell if isinstance(cell, dict) else {"bytes": cell}
    path = cell.get("path")
    data = cell.get("bytes")
    if data is None and path and Path(path).is_absolute():
        data = Path(path)
    return Stored(f"{where} ({path})" if path else where, data, -1 if label is None else label)
