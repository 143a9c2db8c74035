"""A labelled set of pictures, and several of them read as one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.streams.lease import ClosedData, Handle, Readable

__all__ = ["ClosedData", "Handle", "Joined", "Pictures", "Readable", "joined", "together"]


class Pictures:
    """A labelled set of N pictures as uint8, on a device or memory-mapped.

    pixels: uint8 (N, C, H, W), a tensor on its device, or a (memory-mapped) numpy array.
    labels: original class numbers, int64 (N,).
    white: the pixel value that means +1 (255; 16 for the embedded digits); 0 means −1.
    device: where batches of a numpy array go; a tensor's own device otherwise.
    A subset shares the storage of its set and keeps row numbers only. Raises RequestError for other shapes or types.
    """

    def __init__(
        self, pixels: Tensor | np.ndarray, labels: Tensor, white: int = 255, *, device: torch.device | str | None = None
    ) -> None:
        if pixels.dtype not in (torch.uint8, np.uint8) or pixels.ndim != 4 or len(pixels) != len(labels):
            raise RequestError(
                f"pictures must be uint8 (N, C, H, W) with N labels, and these are {pixels.dtype} "
                f"{tuple(pixels.shape)} with {len(labels)} labels; convert them first."
            )
        self._store = pixels
        self._rows: Tensor | None = None  # rows of the store that belong to this set; None: all
        self.device = pixels.device if isinstance(pixels, Tensor) else torch.device(device or labels.device)
        self.labels = labels.to(self.device)
        self.white = white

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture."""
        return tuple(self._store.shape[1:])

    @property
    def resident(self) -> bool:
        """Whether the pixels are a tensor on the device."""
        return isinstance(self._store, Tensor)

    @property
    def index_device(self) -> torch.device:
        """Where row numbers are read: on the device of resident pictures, on the CPU for memory-mapped ones."""
        return self.device if self.resident else torch.device("cpu")

    @property
    def pixels(self) -> Tensor | np.ndarray:
        """The raw pixels, uint8 (N, C, H, W), as they are stored; of a subset, a copy."""
        if self._rows is None:
            return self._store
        return self._store[self._rows if self.resident else self._rows.numpy()]

    def bytes(self, rows: Tensor) -> Tensor:
        """The raw pixels of `rows` (int64 (B,)), uint8 (B, C, H, W) on the device. Never waits for a resident set."""
        if self.resident:
            rows = rows.to(self.device, non_blocking=True)
            rows = rows if self._rows is None else self._rows.index_select(0, rows)
            return self._store.index_select(0, rows)
        rows = rows.cpu() if self._rows is None else self._rows[rows.cpu()]
        return gather(self._store, rows.numpy(), self.device)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures float32 (B, C, H, W) in [−1, 1] and their labels int64 (B,), both on the device."""
        x = self.bytes(rows).float().div_(self.white / 2).sub_(1)
        return x, self.labels.index_select(0, rows.to(self.device, non_blocking=True))

    def subset(self, rows: Tensor) -> "Pictures":
        """The pictures of `rows` (int64), in that order, without copying pixels."""
        labels = self.labels[rows.to(self.device)]
        rows = rows.to(self.device if self.resident else "cpu")
        return self._view(self._store, rows if self._rows is None else self._rows[rows], labels, self.device)

    def _places(self) -> Tensor:
        """Rows of the store that belong to this set, in order."""
        if self._rows is not None:
            return self._rows
        return torch.arange(len(self), device=self.device if self.resident else "cpu")

    def of_classes(self, classes: Sequence[int]) -> "Pictures":
        """The pictures of these classes, in stored order, without copying pixels."""
        wanted = torch.tensor(list(classes), dtype=torch.int64, device=self.device)
        rows = torch.isin(self.labels, wanted).nonzero().squeeze(1)
        return self if len(rows) == len(self) else self.subset(rows)

    def select(self, rows: Tensor) -> "Pictures":
        """A copy of the pictures of `rows`, on the device: what may be kept when the set itself is given back."""
        return Pictures(self.bytes(rows), self.labels[rows.to(self.device)], self.white)

    def to(self, device: torch.device | str, moved: dict[int, Tensor] | None = None) -> "Pictures":
        """This set for another device: pixels on a device move, memory-mapped ones stay where they are.

        moved: storages that have moved already, by id; sets that share one share it again.
        """
        labels = self.labels.to(device)
        if not self.resident:
            return self._view(self._store, self._rows, labels, torch.device(device))
        moved = {} if moved is None else moved
        if id(self._store) not in moved:
            moved[id(self._store)] = self._store.to(device)
        store = moved[id(self._store)]
        return self._view(store, None if self._rows is None else self._rows.to(device), labels, store.device)

    def _view(
        self, store: Tensor | np.ndarray, rows: Tensor | None, labels: Tensor, device: torch.device
    ) -> "Pictures":
        view = object.__new__(Pictures)
        view._store, view._rows, view.labels, view.device, view.white = store, rows, labels, device, self.white
        return view

    def renumbered(self, numbers: Tensor) -> "Pictures":
        """The same pictures with other class numbers: `numbers` int64 holds the new one of each old one."""
        return self._view(self._store, self._rows, numbers.to(self.device)[self.labels], self.device)

    def lease(self, what: str = "the training data") -> "Handle":
        """The right to read this set until it is closed. what: its name in the error, "task 2's training data"."""
        return Handle(self, what)


def gather(array: np.ndarray, rows: np.ndarray, device: torch.device) -> Tensor:
    """Rows of an array, uint8 (B, ...) on `device`: read in stored order, as disks like it, given in the asked order."""
    order = np.argsort(rows, kind="stable")
    on_cuda = device.type == "cuda"
    batch = torch.empty((len(rows), *array.shape[1:]), dtype=torch.uint8, pin_memory=on_cuda)
    batch.numpy()[order] = array[rows[order]]
    return batch.to(device, non_blocking=on_cuda)


@dataclass(frozen=True)
class Joined:
    """Several sets read as one, one after the other, without copying them; closed as soon as one of them is."""

    parts: tuple[Readable, ...]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture."""
        return self.parts[0].shape

    @property
    def white(self) -> int:
        """The pixel value that means +1."""
        return self.parts[0].white

    @property
    def labels(self) -> Tensor:
        """Original class numbers, int64 (N,)."""
        return torch.cat([part.labels for part in self.parts])

    @property
    def index_device(self) -> torch.device:
        """As `Pictures.index_device`; all parts are of one kind where it matters."""
        return self.parts[0].index_device

    def bytes(self, rows: Tensor) -> Tensor:
        """As `Pictures.bytes`."""
        return self._read(rows, lambda part, local: [part.bytes(local)])[0]

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """As `Pictures.take`."""
        return self._read(rows, lambda part, local: part.take(local))

    def select(self, rows: Tensor) -> Pictures:
        """As `Pictures.select`."""

        def copy(part: Readable, local: Tensor) -> tuple[Tensor, Tensor]:
            chosen = part.select(local)
            return chosen.pixels, chosen.labels

        return Pictures(*self._read(rows, copy), self.white)

    def _read(self, rows: Tensor, read: Callable[[Readable, Tensor], Sequence[Tensor]]) -> list[Tensor]:
        """Every part reads the whole batch, its own rows rightly: picking rows by mask would wait for the device."""
        found, start = [], 0
        for part in self.parts:
            local = rows - start
            read_here = read(part, local.clamp(0, len(part) - 1))
            if found:
                here = (local >= 0).to(read_here[0].device)
                found = [
                    torch.where(here.view(-1, *[1] * (n.ndim - 1)), n, o) for n, o in zip(read_here, found, strict=True)
                ]
            else:
                found = list(read_here)
            start += len(part)
        return found


def joined(parts: Sequence[Readable]) -> Readable:
    """Several sets read as one, one after the other. Pixels of memory-mapped and of leased sets are not copied.

    Raises RequestError where shapes or whites differ.
    """
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    check_alike(parts)
    plain = all(isinstance(part, Pictures) for part in parts)
    free = plain and (share_storage(parts) or all(part.resident for part in parts))
    return together(parts) if free else Joined(tuple(parts))


def share_storage(parts: Sequence[Pictures]) -> bool:
    """Whether all are views of one storage."""
    return all(part._store is parts[0]._store for part in parts)


def together(parts: Sequence[Pictures]) -> Pictures:
    """One set from several, on the device of the first: a view where all share one storage, else a copy.

    Raises RequestError where shapes or whites differ.
    """
    check_alike(parts)
    first = parts[0]
    labels = torch.cat([part.labels.to(first.device) for part in parts])
    if share_storage(parts):
        return first._view(first._store, torch.cat([part._places() for part in parts]), labels, first.device)
    pixels = [part.bytes(torch.arange(len(part))).to(first.device) for part in parts]
    return Pictures(torch.cat(pixels), labels, first.white)


def check_alike(parts: Sequence[Readable]) -> None:
    """Refuse sets of different shapes or whites."""
    first = parts[0]
    for part in parts[1:]:
        if (part.shape, part.white) != (first.shape, first.white):
            raise RequestError(
                f"pictures of shape {first.shape} with white {first.white} cannot be put together with pictures of "
                f"shape {part.shape} with white {part.white}; bring all of them to one shape (C, H, W) first."
            )
