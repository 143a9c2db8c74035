"""What a step costs beside the bare arithmetic that it cannot do without, and beside fine-tuning's.

For each strategy and network: the time of a whole step (data, dreams, noising, loss, backward, clipping, optimizer,
averages, counting, losses kept on the device), divided by the sum of its bare parts, each timed alone in the same run:
the student's forward and backward at the step's batch, the teacher's forwards, clipping and the optimizer. Rounds of both
take turns, and medians are compared, because machines are noisy. Beside it: the time in units of fine-tuning's, and the
ratio of passes that the arithmetic gives, (6 + N)/3 for generative replay and (7 + N)/3 for generative distillation.

    python benchmarks/step.py [digits] [fashion_mnist] [--batch 8] [--rounds 5]
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from palimpsest.learning.continual import open_task, turn_page
from palimpsest.models.unet import parameter_count
from palimpsest.runs.assembly import Assembly, assemble
from palimpsest.runs.config import resolve
from palimpsest.runs.probe import walk
from palimpsest.runs.tables import read_experiment
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.stream import Stream, split_by_class

PASSES = {"finetune": 0, "generative_replay": 2, "generative_distillation": 3}  # of the teacher, a replayed picture
STEPS, WARM_UP = {"digits": 20, "fashion_mnist": 3}, 2


def noise_stream(shape: tuple[int, int, int]) -> Stream:
    """Two tasks of random pictures: what they show does not change what a step costs."""
    pixels = torch.randint(0, 256, (512, *shape), dtype=torch.uint8)
    pictures = Pictures(pixels, torch.arange(512) % 4)
    return split_by_class(pictures, pictures, [[0, 1], [2, 3]], name="noise", class_names=list("abcd"))


def second_task(experiment: str, strategy: str, batch: int) -> Assembly:
    """A run that has its first task behind it, so that there is a teacher."""
    settings = {"training.steps": 1000, "training.epochs": 0, "training.batch": batch, "stream.name": "noise"}
    settings["classifier.strategy"] = "none"
    shape = (1, 8, 8) if experiment == "digits" else (1, 32, 32)
    assembly = assemble(resolve(read_experiment(experiment), strategy, {}, settings), noise_stream(shape))
    turn_page(assembly.plan, open_task(assembly.plan, assembly.progress, assembly.stream.tasks[0]), assembly.progress)
    return assembly


def timed(work: Callable[[], None], times: int) -> list[float]:
    """Seconds of each of so many calls, after a warm-up."""
    for _ in range(WARM_UP):
        work()
    ends = [time.perf_counter()]
    for _ in range(times):
        work()
        ends.append(time.perf_counter())
    return [after - before for before, after in zip(ends, ends[1:], strict=False)]


def bare_parts(assembly: Assembly, batch: int, replayed: bool, passes: int, steps: int) -> float:
    """The sum of the medians of what a step cannot do without."""
    denoiser = assembly.progress.learners["denoiser"]
    rows = batch * (2 if replayed else 1)
    x, t = torch.randn(rows, *denoiser.shape), torch.randint(0, denoiser.process.steps, (rows,))
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=0.0, fused=True)

    def learn() -> None:
        denoiser.network(x, t).sample.square().mean().backward()

    def descend() -> None:
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0, foreach=True)
        optimizer.step()

    @torch.no_grad()
    def teach() -> None:
        denoiser.network(x[:batch], t[:batch])

    parts = [timed(learn, steps), timed(descend, steps)] + ([timed(teach, steps)] * passes)
    denoiser.zero_grad(set_to_none=True)
    return sum(statistics.median(part) for part in parts)


def whole_step(assembly: Assembly, steps: int) -> float:
    """The median time of a step of the second task."""
    probe = walk(assembly.plan, assembly.progress, assembly.stream.tasks[1], WARM_UP + steps)
    times = probe.stretches[0].times
    return statistics.median(b - a for a, b in zip(times[WARM_UP - 1 :], times[WARM_UP:], strict=False))


def measure(experiment: str, batch: int, rounds: int) -> Table:
    """One row a strategy."""
    steps = STEPS[experiment]
    runs = {strategy: second_task(experiment, strategy, batch) for strategy in PASSES}
    found: dict[str, list[tuple[float, float]]] = {strategy: [] for strategy in PASSES}
    for _ in range(rounds):
        for strategy, assembly in runs.items():
            whole = whole_step(assembly, steps)
            found[strategy].append(
                (whole, bare_parts(assembly, batch, strategy != "finetune", PASSES[strategy], steps))
            )
    size = parameter_count(runs["finetune"].progress.learners["denoiser"])
    table = Table(
        title=f"{experiment}: {size:,} parameters, batch {batch}, medians of {rounds} rounds of {steps} steps"
    )
    for name in ("strategy", "ms a step", "÷ bare parts (range)", "÷ finetune", "÷ by passes"):
        table.add_column(name, justify="left" if name == "strategy" else "right")
    base = statistics.median(whole for whole, _ in found["finetune"])
    for strategy, pairs in found.items():
        whole, ratios = statistics.median(w for w, _ in pairs), [w / b for w, b in pairs]
        passes = (6 + PASSES[strategy]) / 3 if PASSES[strategy] else 1
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        table.add_row(strategy, f"{1000 * whole:.1f}", spread, f"{whole / base:.2f}", f"{passes:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits", "fashion_mnist"])
    parser.add_argument("--batch", type=int, default=0, help="default: 32 for digits, 8 for fashion_mnist")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    console = Console()
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for experiment in asked.experiments:
        console.print(measure(experiment, asked.batch or (32 if experiment == "digits" else 8), asked.rounds))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        console.print(f"peak memory of this process so far: {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
