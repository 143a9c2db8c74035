"""Laptop, one GPU, many: where it computes, and how many processes share a batch."""

import os
import resource
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from palimpsest.core.batch import Ahead
from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.random import Random, generator
from palimpsest.learning.allocator import keep_freed_memory
from palimpsest.learning.options import EngineOptions


@dataclass(frozen=True)
class Machine:
    """The device of this process and its place among the others (started with `torchrun`)."""

    device: torch.device
    precision: str = "fp32"
    rank: int = 0
    world: int = 1
    compile: bool = False
    ahead: Ahead = Ahead()

    @property
    def main(self) -> bool:
        """Whether this process writes the run directory."""
        return self.rank == 0

    @property
    def arithmetic(self) -> str:
        """What numbers are multiplied in, for people."""
        tf32 = self.device.type == "cuda" and torch.backends.cudnn.allow_tf32  # torch's default
        fp32 = "fp32 (convolutions in TF32)" if tf32 else "fp32"
        own = "bf16 by autocast" if self.precision == "bf16" else fp32
        return f"{own}, dreams in bf16" if self.ahead.precision else own

    def autocast(self) -> AbstractContextManager:
        """The context of a forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def ready(self, learner: nn.Module) -> nn.Module:
        """The learner on the device, its network compiled where that is asked for. Once is enough."""
        learner = learner.to(self.device)
        network = getattr(learner, "network", learner)
        if self.compile and network._compiled_call_impl is None:
            network.compile()
        return learner

    def wrapped(self, student: nn.Module) -> nn.Module:
        """The student as it is called in a step: its gradients are averaged over processes."""
        if self.world == 1:
            return student
        several = len(getattr(student, "heads", ())) > 1  # of which a phase may ask one
        counts = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in student.modules())
        return nn.parallel.DistributedDataParallel(student, broadcast_buffers=counts, find_unused_parameters=several)

    def share_buffers(self, learner: nn.Module) -> None:
        """The first process's statistics of batches in all of them, so that all see the same in evaluation mode."""
        if self.world > 1:
            for buffer in learner.buffers():
                torch.distributed.broadcast(buffer, 0)

    def random(self, *address: str | int) -> Random:
        """Numbers from an address, cut for this process."""
        return Random(generator(*address, device=self.device), self.rank, self.world)

    def sum(self, value: float) -> float:
        """The sum over processes. It waits for all of them."""
        return self.reduced(value, "SUM")

    def least(self, value: float) -> float:
        """The least of all processes' values. It waits for all of them."""
        return self.reduced(value, "MIN")

    def reduced(self, value: float, how: str) -> float:
        """One number from one of each process."""
        if self.world == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64).to(self.device)
        torch.distributed.all_reduce(shared, getattr(torch.distributed.ReduceOp, how))
        return shared.item()

    def told(self, thing: object) -> object:
        """What the first process says, in all of them."""
        if self.world == 1:
            return thing
        said = [thing]
        torch.distributed.broadcast_object_list(said)
        return said[0]

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        return self.sum(float(flag)) > 0

    def gathered(self, mine: Tensor) -> Tensor:
        """The rows of all processes, in the order of the global batch; every process may hold another count."""
        if self.world == 1:
            return mine
        from accelerate.utils import gather_object

        return torch.cat(gather_object([mine.cpu()])).to(self.device)

    @property
    def memory(self) -> int:
        """Bytes that the device has in all."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_properties(self.device).total_memory
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def peak_memory(self) -> int:
        """Bytes at the highest so far: of the device's memory on a GPU, of the process elsewhere."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024

    def synchronize(self) -> None:
        """Until the device has done all that it was asked, for those who time it."""
        if self.device.type != "cpu":
            getattr(torch, self.device.type).synchronize()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            torch.distributed.barrier()


def find_machine(options: EngineOptions) -> Machine:
    """The machine that an experiment asks for; refuses a device that is not there."""
    device = find_device(options.device)
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Machine(device, options.precision, compile=options.compile)
    from accelerate import PartialState

    state = PartialState(cpu=device.type == "cpu")
    return Machine(state.device, options.precision, state.process_index, state.num_processes, options.compile)


# Pixels a batch. On a CPU more at once is no faster (docs/performance.md); of the others it is a guess that bounds memory.
WORTH = {"cpu": 2**14, "cuda": 2**19, "mps": 2**18}


def ahead_for(options: EngineOptions, device: torch.device, shape: tuple[int, int, int]) -> Ahead:
    """How far to draw ahead pictures of `shape` (C, H, W): as the experiment says, or else by the device."""
    rows = options.dream_batch or max(WORTH[device.type] // (shape[1] * shape[2]), 1)
    precision = "bf16" if options.dream_precision == "bf16" else ""
    return Ahead(rows, options.dream_memory * 1e6, precision)


def find_device(asked: str) -> torch.device:
    """The device by name; `auto` takes cuda, else mps, else cpu."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked not in ("auto", *there):
        raise unknown("device", asked, ["auto", *there])
    name = next(name for name, found in there.items() if found) if asked == "auto" else asked
    if not there[name]:
        legal = ", ".join(["auto", *(name for name, found in there.items() if found)])
        raise RequestError(f'device "{name}" was asked for, and torch finds none here; legal here: {legal}.')
    return torch.device(name)
