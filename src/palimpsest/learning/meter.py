"""Losses of a phase, kept on the device and read every so many steps."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from palimpsest.core.errors import RunError
from palimpsest.learning.devices import Machine

NEVER = -1


class Meter:
    """The mean loss of each term since it was last read, and the first step at which a term was not finite."""

    def __init__(self, names: list[str], machine: Machine) -> None:
        self.names, self.machine, self.count = names, machine, 0
        self.sums = torch.zeros(len(names), device=machine.device)
        self.first_bad = torch.full((len(names),), NEVER, device=machine.device)

    def add(self, parts: Mapping[str, Tensor], step: int) -> None:
        """Take in one step's losses. Nothing is read back from the device."""
        values = torch.stack([parts[name] for name in self.names])
        self.sums += values
        self.count += 1
        fine = torch.isfinite(values) | (self.first_bad != NEVER)
        self.first_bad = torch.where(fine, self.first_bad, step)

    def read(self) -> dict[str, float]:
        """The mean losses, all processes together; then it begins anew."""
        sums, count = self.sums.tolist(), max(self.count, 1)
        self.sums, self.count = torch.zeros_like(self.sums), 0
        world = self.machine.world
        return {name: self.machine.sum(total) / count / world for name, total in zip(self.names, sums, strict=True)}

    def check(self, where: str) -> None:
        """Raise RunError with the first bad step and its term, if there is one."""
        for name, step in zip(self.names, self.first_bad.tolist(), strict=True):
            first = self.machine.least(step if step != NEVER else math.inf)
            if first < math.inf:
                raise RunError(
                    f'{where}, step {first + 1:.0f}: the loss of "{name}" is not a finite number; the last good checkpoint '
                    "is kept. Lower training.learning_rate, set training.clip_norm, or use --precision fp32."
                )

    def state(self) -> dict[str, Tensor]:
        """Its numbers, for a checkpoint."""
        return {"sums": self.sums, "first_bad": self.first_bad, "count": torch.tensor(self.count)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        device = self.machine.device
        self.sums, self.first_bad = state["sums"].to(device), state["first_bad"].to(device)
        self.count = int(state["count"])
