"""Numbers and names as parts of a sentence."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """Such as "1 run" and "1,200 runs"."""
    several = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else several}"


def few(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
