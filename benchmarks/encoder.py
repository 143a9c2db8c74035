"""What it costs a joint model to classify a picture, beside a pass through its whole U-Net.

The class is read from the way down and the middle alone. Milliseconds a picture of a forward, and of a forward and backward; the
ratio stands beside that of operations.

    python benchmarks/encoder.py [digits] [fashion_mnist_small] [jdcl_cifar10] [--batch 16] [--rounds 5]
"""

import argparse
import statistics
from collections.abc import Callable

import torch
from rich.console import Console
from stage import make_table, spread, timed

from palimpsest.learning.devices import Machine
from palimpsest.models.joint import Joint, build_joint
from palimpsest.runs.config import resolve
from palimpsest.runs.learners import new_denoiser
from palimpsest.runs.tables import read_experiment
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.stream import split_by_class

CPU = Machine(torch.device("cpu"))


def joint_of(experiment: str) -> Joint:
    """The joint model of an experiment, untrained."""
    read = resolve(read_experiment(experiment), "jdcl")
    size, channels = read.stream.size or 8, read.stream.channels or 1
    pictures = Pictures(torch.zeros(10, channels, size, size, dtype=torch.uint8), torch.arange(10))
    names = [str(number) for number in range(10)]
    stream = split_by_class(pictures, pictures, [list(range(10))], name="nothing", class_names=names)
    return build_joint(new_denoiser(read, stream), read.joint, names, 0).eval()


def passes(joint: Joint, batch: int) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """Through all of the network, and through what classifies; each by a forward alone, and with the way back."""
    x, t = torch.randn(batch, *joint.shape), torch.randint(0, joint.process.steps, (batch,))
    asked = {"whole": lambda: joint.noise(x, t), "classifying": lambda: joint.logits(x)}

    def alone(ask: Callable[[], torch.Tensor]) -> None:
        with torch.inference_mode():
            ask()

    def back(ask: Callable[[], torch.Tensor]) -> None:
        ask().square().mean().backward()

    return {name: (lambda ask=ask: alone(ask), lambda ask=ask: back(ask)) for name, ask in asked.items()}


def measure(experiment: str, batch: int, rounds: int) -> list[str]:
    """A row of the table."""
    joint = joint_of(experiment)
    ways = passes(joint, batch)
    found = [
        [[timed(ways[name][kind], 3, CPU) for name in ("whole", "classifying")] for kind in (0, 1)]
        for _ in range(rounds)
    ]
    cells = []
    for kind in (0, 1):
        pairs = [each[kind] for each in found]
        whole, classifying = (1000 * statistics.median(times) / batch for times in zip(*pairs, strict=True))
        cells += [f"{whole:.2f}", f"{classifying:.2f}", spread(c / w for w, c in pairs)]
    return [f"{experiment}, {batch}", *cells, f"{joint.share_of_looking:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits", "fashion_mnist_small"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    numbers = [
        "whole, forward",
        "classifying",
        "ratio (range)",
        "whole, and back",
        "classifying",
        "ratio (range)",
        "operations",
    ]
    table = make_table("Milliseconds a picture", ["network, batch"], numbers)
    for experiment in asked.experiments:
        table.add_row(*measure(experiment, asked.batch, asked.rounds))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
