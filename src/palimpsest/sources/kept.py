"""What a pool of dreams holds while it is filled and drawn from."""

from dataclasses import dataclass

import torch
from torch import Tensor

COUNTS = ("labelled", "accepted")
TENSORS = ("pixels", "labels", "opinions", *COUNTS)


@dataclass
class Kept:
    """What a pool holds, and what it took to get it; it changes while the pool is filled, and is part of a checkpoint.

    pixels: uint8 (N, C, H, W).  labels: class numbers int64 (N,).  opinions: the labeller's probabilities (N, classes).
    drawn: pictures dreamt so far.  batches: in which, those of earlier fillings included.
    labelled, accepted: of each class of the pool how many were dreamt, and how many of them kept, int64 (classes of the pool,).
    closed: it is complete.  number: of the filling, from 0.
    """

    pixels: Tensor | None = None
    labels: Tensor | None = None
    opinions: Tensor | None = None
    labelled: Tensor | None = None
    accepted: Tensor | None = None
    drawn: int = 0
    batches: int = 0
    closed: bool = False
    number: int = 0

    def state(self) -> dict[str, Tensor]:
        """As tensors, for a checkpoint."""
        numbers = {"numbers": torch.tensor([self.drawn, self.batches, self.closed, self.number])}
        tensors = {name: getattr(self, name) for name in TENSORS}
        return numbers | {name: tensor for name, tensor in tensors.items() if tensor is not None}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        self.drawn, self.batches, closed, self.number = state["numbers"].tolist()
        self.closed = bool(closed)
        for name in TENSORS:
            setattr(self, name, state.get(name))
        for name in COUNTS:  # on the host
            setattr(self, name, None if getattr(self, name) is None else getattr(self, name).cpu())

    def add(self, pixels: Tensor, labels: Tensor, opinions: Tensor) -> None:
        """More pictures."""
        new = {"pixels": pixels, "labels": labels, "opinions": opinions}
        for name, tensor in new.items():
            old = getattr(self, name)
            setattr(self, name, tensor if old is None else torch.cat([old, tensor]))
