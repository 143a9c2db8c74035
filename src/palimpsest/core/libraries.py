"""The libraries underneath: their errors as parts of our sentences, and their remarks kept back."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec


def one_line(error: Exception) -> str:
    """An error of another library as the end of a sentence."""
    return " ".join(str(error).split()).rstrip(".")


def shortened(error: Exception, most: int = 160) -> str:
    """An error of another library as a part of a sentence."""
    said = one_line(error)
    return said if len(said) <= most else f"{said[:most]}..."


@contextmanager
def quietly(bars: bool = False) -> Iterator[None]:
    """Without the remarks of the libraries underneath, and without their progress bars, unless `bars` are wanted."""
    import diffusers.utils.logging as diffusers_logging

    libraries = [diffusers_logging]
    if find_spec("transformers"):
        from transformers.utils import logging as transformers_logging

        libraries.append(transformers_logging)
    before = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.enable_progress_bar() if bars else library.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for library, verbosity in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
            library.enable_progress_bar()
