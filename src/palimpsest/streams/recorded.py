"""Reading a folder of drawn pictures for training. Needs no text-to-image model, nor what such a model needs.

Any folder with one sub-folder a class will do, with a manifest or without: sub-folders are called as the stream's classes are,
or by their numbers, or otherwise where a manifest says which class they hold.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from palimpsest.core.errors import RequestError
from palimpsest.core.words import few
from palimpsest.streams.cache import Decoded, cached, fingerprint
from palimpsest.streams.dataset import fits, pictures_of
from palimpsest.streams.decode import BadPicture, Form, read
from palimpsest.streams.folder import folders, pictures_in
from palimpsest.streams.manifest import NAME, WORK, read_manifest
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.pixels import resized


def open_recorded(
    folder: str | Path,
    class_names: Mapping[int, str] | Sequence[str],
    shape: tuple[int, int, int],
    per_class: int,
    *,
    white: int = 255,
    device: torch.device | str = "cpu",
) -> Pictures:
    """The first `per_class` pictures of each class, class after class, labelled with the stream's class numbers.

    class_names: of the classes that are asked for, by the stream's number; or all of a stream's, in order.
    shape: (C, H, W), to which pictures are brought: bicubic, antialiased where they get smaller; gray and colour as C says.
    per_class: 0 takes all that are there.  white: the pixel value that means +1 in the stream.
    Raises RequestError for classes that are not there or too small, unreadable pictures, and ones that a manifest does not know.
    """
    root, place = Path(folder).expanduser(), torch.device(device)
    if not root.is_dir():
        raise RequestError(f"{root} is not a folder; name one with a sub-folder of pictures for each class.")
    if (root / WORK).is_dir() and not (root / NAME).exists():
        raise RequestError(
            f"the pictures in {root} are not all drawn yet; go on with the `palimpsest synthesize` that began them."
        )
    names = dict(class_names) if isinstance(class_names, Mapping) else dict(enumerate(class_names))
    manifest = read_manifest(root)
    found = found_classes(root, names, manifest)
    files = {number: files_of(root, name, names[number], per_class, manifest) for number, name in sorted(found.items())}
    pairs = [(file, number) for number, group in files.items() for file in group]
    decoded = through_cache(root, pairs, {} if manifest is None else digests_of(root, manifest), shape, white)
    return pictures_of(decoded, white, place, fits("auto", decoded.pixels.nbytes, place))


def size_of(folder: str | Path) -> tuple[int, int]:
    """Height and width of a folder's pictures, as its manifest says, or else of the first one."""
    root = Path(folder).expanduser()
    if (manifest := read_manifest(root)) and len(size := manifest.get("size", ())) == 2:
        return tuple(size)
    first = next(file for entry in folders(root) for file in pictures_in(entry.rglob("*"), entry))
    with Image.open(first) as opened:
        return opened.height, opened.width


def through_cache(
    root: Path, pairs: Sequence[tuple[Path, int]], digests: Mapping[Path, str], shape: tuple[int, int, int], white: int
) -> Decoded:
    """Files with their class numbers as arrays, decoded once. digests: the sha256 that each must have, where it is known."""
    key = {
        "kind": "recorded",
        "files": fingerprint(root, [file for file, _ in pairs]),
        "labels": [number for _, number in pairs],
        "sha256": [digests.get(file, "") for file, _ in pairs],
        "shape": list(shape),
        "white": white,
    }
    return cached(key, lambda: decoded_files(pairs, digests, shape, white))


def found_classes(root: Path, names: Mapping[int, str], manifest: Mapping[str, Any] | None) -> dict[int, str]:
    """The sub-folder of each class. Refuses classes that have none, or one together."""
    there, exact = words_for(root, manifest), by_number_and_name(manifest)
    numbered = {int(word): folder for word, folder in there.items() if word.isdecimal() and word.isascii()}
    found = {
        number: folder
        for number, name in names.items()
        if (
            folder := exact.get((number, key_of(name)))
            or there.get(name)
            or there.get(key_of(name))
            or numbered.get(number)
        )
    }
    missing, held = [name for number, name in names.items() if number not in found], sorted(set(there.values()))
    ending = "each of them has a sub-folder of its own, by its name or its number."
    if missing and not found:
        raise RequestError(
            f"{root} was made for other classes: it holds {few(held)}, and these were asked for: {few(missing)}; {ending}"
        )
    if missing:
        raise RequestError(
            f"{root} has no pictures of {len(missing)} of the {len(names)} classes that were asked for ({few(missing)}), and "
            f"holds {few(held)}; {ending}"
        )
    folders_of = list(found.values())
    if shared := [names[number] for number, folder in found.items() if folders_of.count(folder) > 1]:
        raise RequestError(f"{root} has one sub-folder for several classes ({few(shared)}); {ending}")
    return found


def words_for(root: Path, manifest: Mapping[str, Any] | None) -> dict[str, str]:
    """The sub-folders by all words that they go by: their names, those that a manifest gives them, and these by `key_of`."""
    if manifest is None:
        pairs = [(entry.name, entry.name) for entry in folders(root)]
    else:
        pairs = [(word, entry["folder"]) for entry in manifest["classes"] for word in (entry["folder"], entry["name"])]
    return of_one(((key_of(word), folder) for word, folder in pairs)) | of_one(pairs)


def of_one(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The words that one folder alone goes by."""
    folders: dict[str, set[str]] = {}
    for word, folder in pairs:
        folders.setdefault(word, set()).add(folder)
    return {word: folder for word, (folder, *others) in folders.items() if word and not others}


def by_number_and_name(manifest: Mapping[str, Any] | None) -> dict[tuple[int, str], str]:
    """The sub-folders that a manifest has by both: two classes of one name, such as crane, are told apart by their numbers."""
    entries = manifest["classes"] if manifest else ()
    return {(entry["class_id"], key_of(entry["name"])): entry["folder"] for entry in entries if "class_id" in entry}


def key_of(name: str) -> str:
    """A name by its letters and digits alone: "T-shirt/top" and "t_shirt_top" are one class."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def files_of(root: Path, folder: str, name: str, per_class: int, manifest: Mapping[str, Any] | None) -> list[Path]:
    """The picture files of a class that are asked for, in the order of their names."""
    place = root / folder
    files = pictures_in(place.rglob("*"), place) if place.is_dir() else []
    if manifest is not None:
        files = listed(root, place, files, manifest)
    if not files:
        raise RequestError(f'{root} has no pictures of the class "{name}" (in {folder}); put some there.')
    if len(files) < per_class:
        raise RequestError(
            f'{root} has {len(files)} pictures of the class "{name}" (in {folder}), and {per_class} of each class were '
            "asked for (synthetic.per_class); ask for fewer, or make more."
        )
    return files[:per_class] if per_class else files


def listed(root: Path, place: Path, files: Sequence[Path], manifest: Mapping[str, Any]) -> list[Path]:
    """The files of a sub-folder that the manifest lists. Refuses others, but where more of them are being drawn, and missing ones."""
    entry = next(entry for entry in manifest["classes"] if entry["folder"] == place.name)
    known, there = {place / picture["file"] for picture in entry["pictures"]}, set(files)
    if (root / WORK).is_dir():
        there &= known
    if odd := sorted(known ^ there):
        what = "is listed there and missing" if odd[0] in known else "is not listed there"
        raise RequestError(
            f"{root / NAME} does not match the pictures: {place.name} holds {len(files)} and {len(known)} are listed, and "
            f"{odd[0].relative_to(root)} {what}; bring the folder back to what it was, or remove "
            "the manifest; or remove the folder, where a run drew it, and it is drawn again."
        )
    return [file for file in files if file in there]


def digests_of(root: Path, manifest: Mapping[str, Any]) -> dict[Path, str]:
    """The sha256 of each file that the manifest lists."""
    return {
        root / entry["folder"] / picture["file"]: picture["sha256"]
        for entry in manifest["classes"]
        for picture in entry["pictures"]
    }


def decoded_files(
    pairs: Sequence[tuple[Path, int]], digests: Mapping[Path, str], shape: tuple[int, int, int], white: int
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Each picture as uint8 (C, H, W) with its class number. Refuses bad ones, and ones that are not those of the manifest."""
    channels, height, width = shape
    for file, number in pairs:
        content = file.read_bytes()
        if digests.get(file, "") not in ("", hashlib.sha256(content).hexdigest()):
            raise RequestError(
                f"{file} is not the picture that the manifest lists (its sha256 differs); bring it back, or remove the manifest."
            )
        try:
            pixels = read(content, Form(channels=channels)).transpose(1, 2, 0)
        except BadPicture as error:
            raise RequestError(f"{file} {error}; repair or remove it.") from error
        fitted = resized(pixels, height, width)
        if white != 255:
            fitted = np.rint(fitted * (white / 255)).astype(np.uint8)
        yield np.ascontiguousarray(fitted.transpose(2, 0, 1)), number
