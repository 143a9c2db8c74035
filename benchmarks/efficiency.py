"""How near a step comes to what the machine can do: FLOPs of the step over (its time × the machine's measured peak).

Two peaks for the same data type: a large matrix product, and the network's own largest convolution, forward, at the step's
batch. FLOPs are those that `torch.utils.flop_counter` counts: convolutions, products and attention; a backward counts 2.

    python benchmarks/efficiency.py [digits] [fashion_mnist] [--precision fp32] [--rounds 5]
"""

import argparse
import copy
import statistics

import torch
from rich.console import Console
from stage import Method, default_batch, make_table, second_task, spread, timed, whole_step
from torch import nn

from palimpsest.runs.assembly import Assembly
from palimpsest.runs.estimate import flops_of_pass

METHODS = [
    Method("finetune", 1, 0),
    Method("generative_distillation", 2, 3),
    Method("trajectory_distillation", 2, 1),
]
STEPS = {"digits": 16, "fashion_mnist": 2}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def matrix_peak(assembly: Assembly, precision: str) -> float:
    """FLOP/s of a product of two square matrices, large enough to fill the device."""
    size, times = (2048, 3) if assembly.machine.device.type == "cpu" else (8192, 30)
    a, b = (torch.randn(size, size, device=assembly.machine.device, dtype=TYPES[precision]) for _ in range(2))
    return 2 * size**3 / timed(lambda: a @ b, times, assembly.machine)


def convolution_peak(assembly: Assembly, rows: int, precision: str) -> float:
    """FLOP/s of the convolution of the network that costs most, on random input of its own shape."""
    network, shapes = assembly.progress.learners["denoiser"].network, {}
    device = assembly.machine.device

    def note(module: nn.Conv2d, given: tuple[torch.Tensor], made: torch.Tensor) -> None:
        inner = module.in_channels * module.kernel_size[0] * module.kernel_size[1] // module.groups
        shapes[module] = given[0].shape[1:], 2 * inner * made.numel()

    hooks = [module.register_forward_hook(note) for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        shape = assembly.progress.learners["denoiser"].shape
        network(torch.zeros(1, *shape, device=device), torch.zeros(1, dtype=torch.int64, device=device))
    for hook in hooks:
        hook.remove()
    module, (shape, flops) = max(shapes.items(), key=lambda item: item[1][1])
    module = copy.deepcopy(module).to(TYPES[precision])  # so that no cast is timed
    x = torch.randn(rows, *shape, device=device, dtype=TYPES[precision]).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def convolve() -> None:
        module(x)

    return rows * flops / timed(convolve, 20, assembly.machine)


def measure(experiment: str, method: Method, batch: int, precision: str, rounds: int) -> list[str]:
    """A row of the table."""
    found = []
    for _ in range(rounds):
        assembly = second_task(experiment, method, batch, precision)
        flops = batch * (3 * method.halves + method.passes) * flops_of_pass(assembly.progress.learners["denoiser"])
        speed = flops / whole_step(assembly, STEPS[experiment])
        peaks = matrix_peak(assembly, precision), convolution_peak(assembly, batch * method.halves, precision)
        found.append((speed, *peaks))
    medians = [f"{statistics.median(values) / 1e9:,.0f}" for values in zip(*found, strict=True)]
    shares = [spread((speed / peaks[which] for speed, *peaks in found), ".0%") for which in (0, 1)]
    return [f"{experiment}, {batch}, {precision}", method.name, *medians, *shares]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits", "fashion_mnist"])
    parser.add_argument("--batch", type=int, default=0, help="default: 32 for digits, 8 for fashion_mnist")
    parser.add_argument("--precision", choices=list(TYPES), default="fp32")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    numbers = ["step", "matrix", "convolution", "of matrix (range)", "of convolution (range)"]
    table = make_table(f"GFLOP/s of a step, medians of {asked.rounds} rounds", ["network, batch", "strategy"], numbers)
    for experiment in asked.experiments:
        for method in METHODS:
            batch = asked.batch or default_batch(experiment)
            table.add_row(*measure(experiment, method, batch, asked.precision, asked.rounds))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
