"""Synthetic pictures that are looked at whenever some are drawn: none may be of a class that is present or to come."""

from dataclasses import dataclass

import torch
from torch import Tensor

from palimpsest.core.errors import RunError
from palimpsest.core.images import class_numbers
from palimpsest.streams.pictures import Pictures, Readable

NONE = -1
AT_ONCE = ("cpu",)  # devices for which looking does not make the host wait


class Leak:
    """The class of a picture that should not have been drawn, noted on a device without waiting for it."""

    def __init__(self) -> None:
        self.noted: Tensor | None = None

    def note(self, number: Tensor) -> None:
        """Note a class, int64 (), or NONE; the last one by number is kept."""
        self.noted = number if self.noted is None else torch.maximum(self.noted, number)

    def read(self) -> int:
        """What was noted, or NONE. It asks the device."""
        return NONE if self.noted is None else int(self.noted)


@dataclass(frozen=True)
class Guarded:
    """Pictures that are all of past classes, which is held to be so when they are taken up and in every draw.

    leak: where a class is noted on a device that would have to be waited for; whoever reads the losses reads it, too.
    """

    pictures: Readable
    past: tuple[int, ...]
    leak: Leak

    def __post_init__(self) -> None:
        self.refuse(self.labels)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture."""
        return self.pictures.shape

    @property
    def labels(self) -> Tensor:
        """Class numbers, int64 (N,)."""
        return self.pictures.labels

    @property
    def white(self) -> int:
        """The pixel value that means +1."""
        return self.pictures.white

    @property
    def index_device(self) -> torch.device:
        """As the pictures'."""
        return self.pictures.index_device

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """As the pictures', looked at."""
        x, y = self.pictures.take(rows)
        if y.device.type in AT_ONCE:
            self.refuse(y)
        elif len(y):
            self.leak.note(self.leaked(y).max())
        return x, y

    def select(self, rows: Tensor) -> Pictures:
        """As the pictures'."""
        return self.pictures.select(rows)

    def leaked(self, labels: Tensor) -> Tensor:
        """The labels that are of no past class, NONE in place of the others, int64 (N,)."""
        known = (labels[:, None] == class_numbers(self.past, labels.device)).any(1)
        return labels.masked_fill(known, NONE)

    def refuse(self, labels: Tensor) -> None:
        """Refuse labels of classes that are not past."""
        if len(labels) and (number := int(self.leaked(labels).max())) != NONE:
            raise RunError(
                f"synthetic pictures of class {number} were about to be learnt from, which is not a class of the past: "
                f"{', '.join(map(str, sorted(self.past)))}."
            )
