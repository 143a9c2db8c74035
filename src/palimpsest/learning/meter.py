"""Losses of a phase, kept on the device and read every so many steps."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from palimpsest.core.errors import RunError
from palimpsest.learning.devices import Machine
from palimpsest.sources.guarded import NONE, Leak

NEVER = -1


class Meter:
    """The mean loss of each term since it was last read, and the first step at which a term was not finite.

    A term that does not count in a step is not part of its mean.
    leak: what is noted of pictures that should not have been drawn, which is read with the losses.
    """

    def __init__(self, names: list[str], machine: Machine, leak: Leak | None = None) -> None:
        self.names, self.machine, self.leak = names, machine, leak
        self.counts = [0] * len(names)
        self.sums = torch.zeros(len(names), device=machine.device)
        self.first_bad = torch.full((len(names),), NEVER, device=machine.device)

    def add(self, parts: Mapping[str, Tensor], step: int) -> None:
        """Take in one step's losses. Nothing is read back from the device."""
        nothing = torch.zeros((), device=self.sums.device)
        values = torch.stack([parts.get(name, nothing) for name in self.names])
        self.sums += values
        self.counts = [count + (name in parts) for name, count in zip(self.names, self.counts, strict=True)]
        fine = torch.isfinite(values) | (self.first_bad != NEVER)
        self.first_bad = torch.where(fine, self.first_bad, step)

    def read(self) -> dict[str, float]:
        """The mean losses, all processes together; then it begins anew."""
        sums, counts, world = self.sums.tolist(), self.counts, self.machine.world
        self.sums, self.counts = torch.zeros_like(self.sums), [0] * len(self.names)
        found = zip(self.names, sums, counts, strict=True)
        return {name: self.machine.sum(total) / count / world for name, total, count in found if count}

    def check(self, where: str) -> None:
        """Raise RunError with the first bad step and its term, if there is one, and for pictures that should not have been drawn."""
        leaked = NONE if self.leak is None else -self.machine.least(-self.leak.read())
        if leaked != NONE:
            raise RunError(
                f"{where}: synthetic pictures of class {leaked:.0f} were learnt from, which is not a class of the past; the last good "
                "checkpoint is kept."
            )
        for name, step in zip(self.names, self.first_bad.tolist(), strict=True):
            first = self.machine.least(step if step != NEVER else math.inf)
            if first < math.inf:
                raise RunError(
                    f'{where}, step {first + 1:.0f}: the loss of "{name}" is not a finite number; the last good checkpoint '
                    "is kept. Lower training.learning_rate, set training.clip_norm, or use --precision fp32."
                )

    def state(self) -> dict[str, Tensor]:
        """Its numbers, for a checkpoint."""
        return {"sums": self.sums, "first_bad": self.first_bad, "counts": torch.tensor(self.counts)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        device = self.machine.device
        self.sums, self.first_bad = state["sums"].to(device), state["first_bad"].to(device)
        self.counts = state["counts"].tolist()
