"""The lease under which a strategy may read a task's pictures."""

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from palimpsest.core.errors import RunError

if TYPE_CHECKING:
    from palimpsest.streams.pictures import Pictures


class ClosedData(RunError):
    """Training data was read after its task had ended."""


class Readable(Protocol):
    """What can be read of a labelled set of pictures: the set itself, a lease on it, or several as one."""

    def __len__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture."""

    @property
    def labels(self) -> Tensor:
        """Original class numbers, int64 (N,)."""

    @property
    def white(self) -> int:
        """The pixel value that means +1."""

    @property
    def index_device(self) -> torch.device:
        """Where row numbers are read: on the device of resident pictures, on the CPU for memory-mapped ones."""

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures float32 (B, C, H, W) in [−1, 1] and their labels int64 (B,)."""

    def select(self, rows: Tensor) -> "Pictures":
        """A copy of the pictures of `rows`."""


class Handle:
    """A lease on pictures: reads like them until `close()`, and raises ClosedData from then on."""

    def __init__(self, pictures: Readable, what: str) -> None:
        self._pictures: Readable | None = pictures
        self.what = what

    def _open(self) -> Readable:
        if self._pictures is None:
            raise ClosedData(
                f"{self.what} was read after the task ended; a strategy that needs old pictures must declare it: "
                '@strategy(keeps=...), legal: "memory" for some pictures, "everything" for all.'
            )
        return self._pictures

    def __len__(self) -> int:
        return len(self._open())

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture."""
        return self._open().shape

    @property
    def labels(self) -> Tensor:
        """Original class numbers, int64 (N,)."""
        return self._open().labels

    @property
    def white(self) -> int:
        """The pixel value that means +1."""
        return self._open().white

    @property
    def device(self) -> torch.device:
        """Where batches are given."""
        return self._open().device

    @property
    def index_device(self) -> torch.device:
        """As `Pictures.index_device`."""
        return self._open().index_device

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """As `Pictures.take`."""
        return self._open().take(rows)

    def select(self, rows: Tensor) -> "Pictures":
        """As `Pictures.select`: a copy that outlives this lease."""
        return self._open().select(rows)

    @property
    def closed(self) -> bool:
        """Whether the lease has ended."""
        return self._pictures is None

    def close(self) -> None:
        """End the lease, and let go of the pictures."""
        self._pictures = None
