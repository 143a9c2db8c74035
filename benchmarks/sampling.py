"""Pictures a second that a denoiser samples, beside diffusers' own pipeline with the same network and the same batch.

python benchmarks/sampling.py [digits] [fashion_mnist] [--batch 64] [--steps 10 50] [--rounds 5]
"""

import argparse
import statistics

import diffusers
import torch
from rich.console import Console
from stage import Method, make_table, plain, second_task, spread, timed

from palimpsest.diffusion.samplers import Sampler
from palimpsest.measuring.drawing import draw_samples


def measure(experiment: str, batch: int, steps: int, rounds: int) -> list[str]:
    """A row of the table."""
    assembly = second_task(experiment, Method("finetune", 1, 0), batch)
    denoiser, machine = assembly.progress.learners["denoiser"], assembly.machine
    scheduler = diffusers.DDIMScheduler(trained_betas=denoiser.process.betas.tolist(), timestep_spacing="trailing")
    pipeline = diffusers.DDIMPipeline(plain(denoiser.network).eval(), scheduler)
    pipeline.set_progress_bar_config(disable=True)

    @torch.inference_mode()
    def theirs() -> None:
        pipeline(batch_size=batch, num_inference_steps=steps, output_type="np")

    def ours() -> None:
        draw_samples(denoiser, Sampler("ddim", steps), batch, batch, ("benchmark",), machine)

    pairs = [(timed(theirs, 1, assembly.machine), timed(ours, 1, assembly.machine)) for _ in range(rounds)]
    ratios = [slow / fast for slow, fast in pairs]
    rates = [batch / statistics.median(times) for times in zip(*pairs, strict=True)]
    return [f"{experiment}, {batch} at once", f"{steps}", *(f"{rate:,.1f}" for rate in rates), spread(ratios)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits", "fashion_mnist"])
    parser.add_argument("--batch", type=int, default=0, help="default: 64 for digits, 8 for fashion_mnist")
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    numbers = ["DDIM steps", "DDIMPipeline, pictures/s", "ours", "how many times as fast (range)"]
    table = make_table(f"Sampling, medians of {asked.rounds} rounds", ["network, batch"], numbers)
    for experiment in asked.experiments:
        for steps in asked.steps:
            batch = asked.batch or (64 if experiment == "digits" else 8)
            table.add_row(*measure(experiment, batch, steps, asked.rounds))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
