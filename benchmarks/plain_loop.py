"""A step of generative distillation, beside the loop that one writes with diffusers.

The plain loop is as the library's own training examples have it: `DDIMScheduler.add_noise`, one forward pass of the student
for the data and one for the replay, `clip_grad_norm_`, `torch.optim.Adam`; the replay comes from a `DDIMPipeline` that is
built once, in inference mode, without a progress bar. Same network, same batch, same N, same number of threads. Rounds of both
take turns, and the medians of their ratios are printed.

    python benchmarks/plain_loop.py [digits] [fashion_mnist] [--steps-of-a-dream 2 10] [--precision fp32] [--rounds 5]
"""

import argparse
import copy
import statistics
from collections.abc import Callable

import diffusers
import torch
from rich.console import Console
from stage import Method, default_batch, make_table, plain, second_task, spread, timed, whole_step
from torch.nn import functional

from palimpsest.runs.assembly import Assembly

STEPS = {"digits": 16, "fashion_mnist": 2}
STRENGTH, K = 0.75, 2


def plain_loop(assembly: Assembly, batch: int, passes: int) -> Callable[[], None]:
    """A function that takes one step as a user of diffusers would write it."""
    device = assembly.machine.device
    learner = assembly.progress.learners["denoiser"]
    student = plain(learner.network)
    teacher = copy.deepcopy(student).eval().requires_grad_(False)
    process = learner.process
    scheduler = diffusers.DDIMScheduler(
        num_train_timesteps=process.steps,
        trained_betas=process.betas.tolist(),
        timestep_spacing="trailing",
        clip_sample=True,
    )
    pipeline = diffusers.DDIMPipeline(teacher, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    optimizer = torch.optim.Adam(student.parameters(), lr=2e-4)
    pictures = torch.rand(512, *learner.shape, device=device) * 2 - 1

    def noised(clean: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        noise = torch.randn_like(clean)
        t = torch.randint(0, process.steps, (len(clean),), device=device)
        return scheduler.add_noise(clean, noise, t), t, noise

    def step() -> None:
        clean = pictures[torch.randint(0, len(pictures), (batch,), device=device)]
        with assembly.machine.autocast():
            x, t, noise = noised(clean)
            loss = functional.mse_loss(student(x, t).sample.float(), noise) / K
            with torch.inference_mode():
                images = pipeline(batch_size=batch, num_inference_steps=passes, output_type="np").images
            replayed = torch.from_numpy(images).permute(0, 3, 1, 2).to(device) * 2 - 1
            x, t, _ = noised(replayed)
            with torch.no_grad():
                wanted = teacher(x, t).sample.float()
            loss = loss + STRENGTH * (1 - 1 / K) * functional.mse_loss(student(x, t).sample.float(), wanted)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(experiment: str, batch: int, passes: int, precision: str, rounds: int) -> list[str]:
    """A row of the table."""
    method = Method("generative_distillation", 2, passes + 1, {"teacher_steps": passes})
    pairs = []
    for _ in range(rounds):
        assembly = second_task(experiment, method, batch, precision)
        theirs = timed(plain_loop(assembly, batch, passes), STEPS[experiment], assembly.machine)
        pairs.append((theirs, whole_step(assembly, STEPS[experiment])))
    ratios = [theirs / ours for theirs, ours in pairs]
    theirs, ours = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    times = [f"{theirs:.1f}", f"{ours:.1f}", spread(ratios)]
    return [f"{experiment}, {batch} + {batch}, {precision}", f"{passes}", *times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits", "fashion_mnist"])
    parser.add_argument("--batch", type=int, default=0, help="default: 32 for digits, 8 for fashion_mnist")
    parser.add_argument("--steps-of-a-dream", type=int, nargs="+", default=[2, 10])
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    title = f"Beside a plain loop, medians of {asked.rounds} rounds"
    numbers = ["N", "plain, ms a step", "ours, ms", "how many times as fast (range)"]
    table = make_table(title, ["network, batch"], numbers)
    for experiment in asked.experiments:
        for passes in asked.steps_of_a_dream:
            batch = asked.batch or default_batch(experiment)
            table.add_row(*measure(experiment, batch, passes, asked.precision, asked.rounds))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
