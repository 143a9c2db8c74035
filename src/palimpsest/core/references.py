"""What a user wrote and names: package.module:attribute, or path/to/file.py:attribute."""

import hashlib
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.libraries import shortened

FORMS = "package.module:attribute of a module on Python's path (PYTHONPATH), or path/to/file.py:attribute"


def is_reference(name: str) -> bool:
    """Whether a name says where something of the user's own lies."""
    return ":" in name


def settled(name: str) -> str:
    """A reference that is understood from any folder: a file by its whole path. Other names are returned as they are."""
    place, _, attribute = name.rpartition(":")
    return f"{Path(place).expanduser().resolve()}:{attribute}" if place.endswith(".py") else name


def load(reference: str, what: str) -> Any:
    """What a reference names. what: what it is to be, for errors.

    Raises RequestError where there is no such module, file or attribute, and where importing it fails.
    """
    place, _, attribute = reference.rpartition(":")
    try:
        module = imported_file(Path(place).expanduser().resolve()) if place.endswith(".py") else import_module(place)
    except RequestError:
        raise
    except Exception as error:  # a user's module can raise anything
        why = f"{type(error).__name__}: {shortened(error)}"
        raise RequestError(f'the {what} "{reference}" cannot be imported ({why}); give {FORMS}.') from error
    if not hasattr(module, attribute):
        own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise RequestError(f'the {what} "{reference}" cannot be imported: {unknown(f"name in {place}", attribute, own)}')
    return getattr(module, attribute)


def imported_file(path: Path) -> ModuleType:
    """A file as a module; once for each content that it has. What lies beside it can be imported by it."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    name = f"{path.stem}_{hashlib.sha256(bytes(path) + path.read_bytes()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # at the end, so that it hides nothing
    spec = spec_from_file_location(name, path)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
