"""What a network costs by itself: by layout, precision, size of the batch, and compiled; and how much of it is convolutions.

Each cell is milliseconds a picture, the median of rounds in which the ways take turns. The network is that of the experiment;
no loop, no optimizer, no data.

    python benchmarks/layouts.py [digits] [fashion_mnist] [--batches 32 64 256] [--compile] [--rounds 5]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from rich.console import Console
from stage import Method, make_table, plain, second_task, timed
from torch import nn
from torch.profiler import ProfilerActivity, profile

from palimpsest.learning.devices import Machine
from palimpsest.runs.assembly import Assembly


@dataclass(frozen=True)
class Way:
    """How a network is laid out and what it multiplies in. layout: a key of LAYOUTS."""

    layout: str = "channels last"
    precision: str = "fp32"
    compiled: bool = False

    def __str__(self) -> str:
        return ", ".join([self.layout, self.precision, *(["compiled"] if self.compiled else [])])


LAYOUTS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "contiguous": plain,
    "weights channels last": lambda network: plain(network).to(memory_format=torch.channels_last),
    "channels last": lambda network: network,  # and diffusers' blocks keep the pictures so
}
WAYS = [*map(Way, LAYOUTS), Way(precision="bf16")]


def forward(network: nn.Module, x: torch.Tensor, t: torch.Tensor, machine: Machine) -> None:
    with torch.inference_mode(), machine.autocast():
        network(x, t)


def learn(network: nn.Module, x: torch.Tensor, t: torch.Tensor, machine: Machine) -> None:
    with machine.autocast():
        answer = network(x, t).sample
    answer.float().square().mean().backward()


def prepared(assembly: Assembly, way: Way, batch: int, call: Callable[..., None]) -> Callable[[], None]:
    """The call on random pictures, which has been made once: compiling is not timed here."""
    denoiser, device = assembly.progress.learners["denoiser"], assembly.machine.device
    network = LAYOUTS[way.layout](denoiser.network)
    network = torch.compile(network) if way.compiled else network
    x = torch.randn(batch, *denoiser.shape, device=device)
    t = torch.randint(0, denoiser.process.steps, (batch,), device=device)
    return partial(call, network, x, t, Machine(device, way.precision))


def measure(experiment: str, ways: list[Way], batches: list[int], rounds: int) -> list[list[str]]:
    """A row a way: the forward at each batch, then forward and backward at the second batch."""
    assembly = second_task(experiment, Method("finetune", 1, 0), batches[0])
    cases = [(forward, batch) for batch in batches] + [(learn, batches[min(1, len(batches) - 1)])]
    found: dict[tuple[Way, int], list[float]] = {}
    for _ in range(rounds):
        for way in ways:
            for number, (call, batch) in enumerate(cases):
                seconds = timed(prepared(assembly, way, batch, call), max(1, 128 // batch), assembly.machine)
                found.setdefault((way, number), []).append(1000 * seconds / batch)
    numbers = range(len(cases))
    return [[experiment, str(way), *(f"{statistics.median(found[way, n]):.2f}" for n in numbers)] for way in ways]


def share_of_convolutions(experiment: str, batch: int) -> float:
    """Of the time of operators in a forward and backward pass, that of convolutions."""
    assembly = second_task(experiment, Method("finetune", 1, 0), batch)
    work = prepared(assembly, Way(), batch, learn)
    work()
    on_cpu = assembly.machine.device.type == "cpu"
    with profile(activities=[ProfilerActivity.CPU, *([] if on_cpu else [ProfilerActivity.CUDA])]) as profiled:
        work()
        assembly.machine.synchronize()
    clock = "self_cpu_time_total" if on_cpu else "self_device_time_total"
    times = {event.key: getattr(event, clock) for event in profiled.key_averages()}
    return sum(time for name, time in times.items() if "convolution" in name) / sum(times.values())


def seconds_to_compile(experiment: str, batch: int) -> float:
    """Of the first forward and backward pass of a network that is compiled, as if it had never been compiled before."""
    assembly = second_task(experiment, Method("finetune", 1, 0), batch)
    torch.compiler.reset()
    with torch._inductor.config.patch(force_disable_caches=True):
        began = time.perf_counter()
        prepared(assembly, Way(compiled=True), batch, learn)()
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits", "fashion_mnist"])
    parser.add_argument("--batches", type=int, nargs="+", default=[], help="default: 32 64 256, and 8 16 64")
    parser.add_argument("--compile", action="store_true", help="compile too, which takes minutes")
    parser.add_argument("--rounds", type=int, default=5)
    asked, console = parser.parse_args(), Console(width=120)
    for experiment in asked.experiments:
        batches = asked.batches or ([32, 64, 256] if experiment == "digits" else [8, 16, 64])
        numbers = [f"forward, {batch}" for batch in batches]
        learnt = batches[min(1, len(batches) - 1)]
        ways = [*WAYS, *([Way(compiled=True)] if asked.compile else [])]
        title = f"Milliseconds a picture, medians of {asked.rounds} rounds"
        table = make_table(title, ["network", "way"], [*numbers, f"and backward, {learnt}"])
        for row in measure(experiment, ways, batches, asked.rounds):
            table.add_row(*row)
        console.print(table)
        console.print(f"convolutions: {share_of_convolutions(experiment, learnt):.0%} of a forward and backward")
        if asked.compile:
            console.print(f"compiling took {seconds_to_compile(experiment, learnt):.0f} s")


if __name__ == "__main__":
    main()
