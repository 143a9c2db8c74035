"""What a step costs beside the bare arithmetic that it cannot do without, and beside fine-tuning's.

For each strategy and network: the time of a whole step (data, dreams, noising, loss, backward, clipping, optimizer,
averages, counting, losses kept on the device), divided by the sum of its bare parts, each timed alone in the same run:
the student's forward and backward at the step's batch, the teacher's forwards at the batch of the replay, clipping and the
optimizer. Rounds of both take turns, and medians are compared, because machines are noisy. Beside it: the time in units of
fine-tuning's, and the ratio of passes that the arithmetic gives, such as (6 + N)/3 for generative replay and (7 + N)/3 for
generative distillation. Less than 1 beside the bare parts is what drawing ahead saves, in larger batches than the step's.

    python benchmarks/step.py [digits] [fashion_mnist] [--all] [--batch 8] [--precision fp32] [--rounds 5]
"""

import argparse
import gc
import statistics

import torch
from rich.console import Console
from rich.table import Table
from stage import Method, default_batch, make_table, second_task, spread, timed, whole_step

from palimpsest.models.unet import parameter_count
from palimpsest.runs.assembly import Assembly

METHODS = [
    Method("finetune", 1, 0),
    Method("joint", 1, 0),
    Method("ewc", 1, 0),
    Method("rank1_ewc", 2, 3),  # beside generative distillation, N = 2
    Method("experience_replay", 2, 0),
    Method("lwf", 1, 1),
    Method("dark_replay", 2, 1),
    Method("gaussian_distillation", 2, 1),
    Method("partial_distillation", 2, 3),
    Method("generative_replay", 2, 2),
    Method("generative_replay", 2, 10, {"teacher_steps": 10}),
    Method("generative_distillation", 2, 3),
    Method("generative_distillation", 2, 11, {"teacher_steps": 10}),
    Method("generative_distillation", 2, 2, {"teacher_steps": 10, "reuse": 10}),
    Method("trajectory_distillation", 2, 1),
    Method("trajectory_distillation", 2, 1, {"renoised": 0.5}),
]
FEW = {"finetune", "generative_replay", "generative_distillation"}  # for large networks on a CPU, by two teacher steps
STEPS = {"digits": 20, "fashion_mnist": 2}


def bare_parts(assembly: Assembly, batch: int, method: Method, steps: int) -> float:
    """Seconds of what a step cannot do without: each part timed alone, and the sum."""
    denoiser, machine = assembly.progress.learners["denoiser"], assembly.machine
    rows = batch * method.halves
    x = torch.randn(rows, *denoiser.shape, device=machine.device)
    t = torch.randint(0, denoiser.process.steps, (rows,), device=machine.device)
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=0.0, fused=True)

    def learn() -> None:
        with machine.autocast():
            answer = denoiser.network(x, t).sample
        answer.float().square().mean().backward()

    def descend() -> None:
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0, foreach=True)
        optimizer.step()

    @torch.no_grad()
    def teach() -> None:
        with machine.autocast():
            denoiser.network(x[:batch], t[:batch])

    parts = [timed(part, steps, assembly.machine) for part in (learn, descend, teach)]
    denoiser.zero_grad(set_to_none=True)
    return parts[0] + parts[1] + method.passes * parts[2]


def measure(experiment: str, batch: int, rounds: int, precision: str, everything: bool) -> Table:
    """One row a strategy."""
    steps = STEPS[experiment]
    everything = everything or experiment == "digits"
    methods = [each for each in METHODS if everything or (each.strategy in FEW and not each.options)]
    found: dict[str, list[tuple[float, float]]] = {method.name: [] for method in methods}
    for _ in range(rounds):
        for method in methods:
            assembly = second_task(experiment, method, batch, precision)
            found[method.name].append((whole_step(assembly, steps), bare_parts(assembly, batch, method, steps)))
            gc.collect()  # of the run before, which would stand in the peak of memory
    size = parameter_count(assembly.progress.learners["denoiser"])
    title = f"{experiment}: {size:,} parameters, batch {batch}, {assembly.machine.arithmetic}, medians of {rounds} rounds of {steps} steps"
    table = make_table(title, ["strategy"], ["ms a step", "÷ bare parts (range)", "÷ finetune", "÷ by passes"])
    base = statistics.median(whole for whole, _ in found["finetune"])
    table.caption = f"peak memory so far: {assembly.machine.peak_memory() / 2**20:,.0f} MiB"
    for method in methods:
        pairs = found[method.name]
        whole, passes = statistics.median(w for w, _ in pairs), (3 * method.halves + method.passes) / 3
        ratio = spread(whole / bare for whole, bare in pairs)
        table.add_row(method.name, f"{1000 * whole:.1f}", ratio, f"{whole / base:.2f}", f"{passes:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits", "fashion_mnist"])
    parser.add_argument("--batch", type=int, default=0, help="default: 32 for digits, 8 for fashion_mnist")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--all", action="store_true", help="every strategy with the large network, too")
    asked = parser.parse_args()
    console = Console()
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for experiment in asked.experiments:
        batch = asked.batch or default_batch(experiment)
        console.print(measure(experiment, batch, asked.rounds, asked.precision, asked.all))


if __name__ == "__main__":
    main()
