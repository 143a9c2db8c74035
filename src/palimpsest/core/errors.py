"""Errors that are sentences: what was asked, what was found, what to do, the legal values."""

from collections.abc import Iterable
from difflib import get_close_matches


class RequestError(ValueError):
    """The request is wrong, and nothing was written (exit code 2)."""


class RunError(RuntimeError):
    """The work failed on the way; what was saved before is still good (exit code 1)."""


class Interrupted(Exception):
    """The work was asked to stop, and its state is saved (exit code 130). It names the run, where it is one."""


def shown(value: object, longest: int = 60) -> str:
    """A value as a part of a sentence: in one line, and not a long one."""
    text = " ".join(repr(value).split())
    return text if len(text) <= longest else f"{text[:longest]}..."


def unknown(kind: str, asked: str, legal: Iterable[str]) -> RequestError:
    """The error for a name that does not exist: names the near match and the legal values."""
    legal = sorted(legal)
    near = get_close_matches(asked, legal, n=1, cutoff=0.5)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    choice = f" Legal: {', '.join(legal)}." if legal else ""
    return RequestError(f'unknown {kind} "{asked}".{hint}{choice}')
