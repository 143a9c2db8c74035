"""The source of terms that look at no picture."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Nowhere:
    """It gives nothing, and only targets that ask no head can stand beside it."""

    name: ClassVar[str] = "nowhere"
    gives: ClassVar[frozenset[str]] = frozenset()
    exists: ClassVar[bool] = True


nowhere = Nowhere()
