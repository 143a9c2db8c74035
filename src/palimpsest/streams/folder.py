"""Pictures in folders, one sub-folder a class."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from palimpsest.core.errors import RequestError
from palimpsest.streams.cache import Decoded, fingerprint
from palimpsest.streams.dataset import TEST_NAMES, DataSet, arrange, called, decoded, locate
from palimpsest.streams.decode import EXTENSIONS, Stored
from palimpsest.streams.options import StreamOptions

LAYOUTS = "legal layouts: train/CLASS/*.png with test/CLASS/*.png, CLASS/*.png, or pictures of one class in the folder"


def folder(options: StreamOptions, device: torch.device) -> DataSet:
    """A folder of pictures: train/CLASS/* and test/CLASS/*, or CLASS/* split with a seed, or pictures of one class.

    Class numbers are places among the sorted names of class folders. Hidden files are left out.
    """
    root = locate(options)
    train_root, test_root = halves(root)
    train_files = by_class(train_root, root)
    names = list(train_files)
    train = decode_files(options, train_root, train_files, names)
    test = None
    if test_root is not None:
        test_files = by_class(test_root, root)
        for name in test_files:
            if name not in train_files:
                raise RequestError(
                    f"{test_root} has the class folder {name}, and {train_root} has none of that name; its classes are "
                    f"{', '.join(names)}."
                )
        test = decode_files(options, test_root, test_files, names, like=train)
    return arrange(options, device, name=called(options, root), train=train, test=test, class_names=names)


def halves(root: Path) -> tuple[Path, Path | None]:
    """The folders to train and to measure on; (root, None) where the pictures are not split.

    A folder "train" among class folders (bus, car, train) is a class.
    """
    train = root / "train"
    others = {entry.name for entry in folders(root)} - {"train", *TEST_NAMES}
    if not train.is_dir() or (others and not folders(train)):
        return root, None
    return train, next((root / name for name in TEST_NAMES if (root / name).is_dir()), None)


def folders(root: Path) -> list[Path]:
    """Sub-folders by name, hidden ones left out."""
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def by_class(part: Path, root: Path) -> dict[str, list[Path]]:
    """Picture files by class name, both sorted. Pictures without class folders are one class, called as `root` is."""
    loose = pictures_in(part.iterdir(), part)
    classes = folders(part)
    if loose and classes:
        raise RequestError(
            f"{part} holds both pictures ({loose[0].name}) and folders ({classes[0].name}), so it is not clear what "
            f"the classes are; {LAYOUTS}."
        )
    files = {entry.name: pictures_in(entry.rglob("*"), entry) for entry in classes} if classes else {}
    if loose:
        files = {root.resolve().name: loose}
    if not any(files.values()):
        raise RequestError(f"{part} holds no pictures ({', '.join(sorted(EXTENSIONS))}); {LAYOUTS}.")
    return files


def pictures_in(entries: Iterator[Path], root: Path) -> list[Path]:
    """The picture files among `entries`, sorted; hidden ones, and those in hidden folders, left out."""
    return sorted(
        entry
        for entry in entries
        if entry.suffix.lower() in EXTENSIONS
        and not any(part.startswith(".") for part in entry.relative_to(root).parts)
        and entry.is_file()
    )


def decode_files(
    options: StreamOptions,
    root: Path,
    files: Mapping[str, Sequence[Path]],
    names: Sequence[str],
    like: Decoded | None = None,
) -> Decoded:
    """Every class's pictures, class after class."""
    pairs = [(file, names.index(name)) for name, group in files.items() for file in group]
    key = {"files": fingerprint(root, [file for file, _ in pairs]), "labels": [label for _, label in pairs]}
    return decoded(options, key, lambda: (Stored(str(file), file, label) for file, label in pairs), like)
