"""What measuring costs beside drawing the samples that are measured.

Of one experiment, with an untrained network (what it draws does not change what it costs) and all its tasks seen: the
time of drawing the samples of one measurement, and of everything that is computed from them, each part as a share of it.

    python benchmarks/evaluate.py [digits] [fashion_mnist_small] [--rounds 3]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from palimpsest.evaluation.described import describe_samples
from palimpsest.evaluation.measures import MEASURES, measure_groups
from palimpsest.learning.devices import Machine
from palimpsest.measuring.drawing import samplers_of
from palimpsest.measuring.forgetting import measure_forgetting
from palimpsest.measuring.measurer import Found, Measurer, offering
from palimpsest.measuring.yardstick import make_yardstick
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from palimpsest.runs.tables import read_experiment


def median_time(work: Callable[[], object], rounds: int, machine: Machine) -> float:
    """Median seconds of so many calls."""
    times = []
    for _ in range(rounds):
        machine.synchronize()
        began = time.perf_counter()
        work()
        machine.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure(experiment: str, rounds: int, settings: Mapping[str, object] | None = None) -> Table:
    """One row a part. settings: of the experiment, by dotted key, that are to be others."""
    assembly = assemble(resolve(read_experiment(experiment), settings=settings))
    stream, options, machine = assembly.stream, assembly.experiment.evaluation, assembly.machine
    denoiser = offering(assembly.progress.learners, "noise")
    yardstick = make_yardstick(stream, options, assembly.experiment.stream.flip, machine.device, print)
    measurer = Measurer(yardstick, *samplers_of(options, denoiser), machine, 0)
    task = stream.tasks[-1]
    real = yardstick.reference(task)
    yardstick.held_out(task)  # once a task, whatever is measured

    def draw() -> Tensor:
        learnt = stream.learnt(task.number)
        return measurer.draw(denoiser, measurer.sampler, measurer.count, learnt, lambda drawn: None)

    def forgetting() -> None:
        measure_forgetting(Found(), task, denoiser, lambda number: denoiser, measurer.first, yardstick, 0)

    samples = draw()
    made = describe_samples(samples, yardstick.evaluator, yardstick.extractor)
    groups = list(yardstick.groups(task)["per_task"].values()) + list(yardstick.groups(task)["per_class"].values())
    found = Found()
    parts = {"features": lambda: describe_samples(samples, yardstick.evaluator, yardstick.extractor)}
    classes = len(stream.class_names)
    parts |= {each.__name__: lambda each=each: each(made, real, classes) for each in MEASURES}
    parts |= {
        "tasks and classes": lambda: measure_groups(made, real, groups),
        "memorisation": lambda: measurer.of_copies(found, task, samples, made.labels, ""),
        "denoising error": forgetting,
    }
    drawing = median_time(draw, rounds, machine)
    table = Table(
        title=f"{experiment}: {options.samples} samples by {measurer.samplers_in_words['own']}: {drawing:.1f} s"
    )
    table.add_column("part")
    table.add_column("÷ drawing the samples", justify="right")
    shares = {name: median_time(work, rounds, machine) / drawing for name, work in parts.items()}
    statistic = sum(share for name, share in shares.items() if name != "denoising error")
    for name, share in {**shares, "features and statistics": statistic}.items():
        table.add_row(name, f"{share:.1%}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits", "fashion_mnist_small"])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    console = Console()
    console.print(f"torch {torch.__version__}")
    for experiment in asked.experiments:
        console.print(measure(experiment, asked.rounds))


if __name__ == "__main__":
    main()
