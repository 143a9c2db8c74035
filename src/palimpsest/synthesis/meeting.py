"""Where several processes wait for each other, however long it takes."""

from datetime import timedelta
from typing import Any

import torch

from palimpsest.learning.devices import Machine

PATIENCE = timedelta(days=30)  # the GPU's own collectives give up after minutes, and one process may draw hours longer


class Meeting:
    """All processes of a machine."""

    def __init__(self, machine: Machine) -> None:
        several = machine.world > 1
        self.world = machine.world
        self.group = torch.distributed.new_group(backend="gloo", timeout=PATIENCE) if several else None

    def wait(self) -> None:
        """Until all are here."""
        if self.group is not None:
            torch.distributed.barrier(group=self.group)

    def together(self, mine: list[Any]) -> list[Any]:
        """What all of them have, one process after the other."""
        if self.group is None:
            return mine
        parts: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(parts, mine, group=self.group)
        return [thing for part in parts for thing in part]
