"""Files that are complete or absent, and the place of those that can be made again."""

import errno
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from palimpsest.core.errors import RequestError, RunError

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def cache_root() -> Path:
    """$PALIMPSEST_CACHE, by default ~/.cache/palimpsest."""
    return Path(os.environ.get("PALIMPSEST_CACHE") or Path.home() / ".cache" / "palimpsest")


def check_place(path: Path) -> None:
    """Refuse, before any work is done for it, a file or folder that cannot be written; nothing is made to find out.

    Raises RequestError where a file lies in the way, or where what is there may not be written to or looked into.
    """
    try:
        there = path if path.is_dir() else next(place for place in path.absolute().parents if place.exists())
        if not there.is_dir():
            raise OSError(errno.ENOTDIR, f"{there} is a file")
        if not os.access(there, os.W_OK):
            raise OSError(errno.EACCES, f"{there} is read-only")
    except OSError as error:
        raise RequestError(f"nothing can be written to {path} ({error.strerror}); choose another place.") from error


def make_place(folder: Path) -> Path:
    """Make a folder that something is going to be written to, before any work is done for it.

    Raises RequestError where that cannot be, as `check_place` does.
    """
    check_place(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"nothing can be written to {folder} ({error.strerror}); choose another place.") from error
    return folder


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, and give it its name."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise no_space(error, path, len(content)) from error


def write_folder(path: Path, fill: Callable[[Path], None], size: int = 0) -> None:
    """Fill a temporary folder, flush it, and give it its name; an older folder of that name gives way only then.

    size: bytes that the folder will need, for the message where the disk is full.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    for leftover in (temporary, path.with_name(f".{path.name}.old")):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        for file in temporary.rglob("*"):
            flush(file)
        flush(temporary)
        replace_with(path, temporary)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise no_space(error, path, size) from error


def replace_with(path: Path, new: Path) -> None:
    """Give a complete file or folder its name; what has that name gives way in the same moment, and then goes."""
    old = path.with_name(f".{path.name}.old")
    if path.is_dir():
        os.replace(path, old)
    os.replace(new, path)
    flush(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def flush(path: Path) -> None:
    """Make sure that a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def no_space(error: OSError | SafetensorError, path: Path, size: int) -> Exception:
    """The error to raise for a failed write: a sentence where the disk is full, the error itself otherwise."""
    if number_of(error) not in NO_SPACE:
        return error
    free = shutil.disk_usage(next(place for place in path.parents if place.exists())).free
    needed = f"about {megabytes(size)} are needed and " if size else ""
    return RunError(
        f"no space left to write {path}: {needed}{megabytes(free)} are free; what was saved before is kept. Make room, and "
        "give the command again; a run goes on with `palimpsest resume`."
    )


def number_of(error: OSError | SafetensorError) -> int | None:
    """The system's error number; safetensors only writes it into its message."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"os error (\d+)", str(error))
    return int(found[1]) if found else None


def megabytes(size: int) -> str:
    """A number of bytes, for people."""
    return f"{size / 1e6:,.1f} MB"
