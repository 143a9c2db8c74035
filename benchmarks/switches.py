"""What single switches of torch are worth to a frozen network: each on and off in turn, within one run.

    python benchmarks/switches.py [digits] [fashion_mnist] [--batches 32 256] [--rounds 25]

None of them is set by the package; a ratio above 1 says what it would gain. The difference is the largest between the answers.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from rich.console import Console
from stage import Method, make_table, second_task, spread, timed

from palimpsest.learning.devices import Machine

Switch = Callable[[], AbstractContextManager]


@contextmanager
def switched(place: object, name: str, value: object) -> Iterator[None]:
    """A setting of torch, put back afterwards."""
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def switches(device: torch.device) -> dict[str, tuple[Switch, Switch]]:
    """Those of a device: each as it is here, and switched."""
    both = {"inference_mode for no_grad": (torch.no_grad, torch.inference_mode)}
    if device.type == "cpu":
        convolutions = torch.backends.mkldnn.conv
        both["oneDNN: convolutions in bf16"] = nullcontext, lambda: switched(convolutions, "fp32_precision", "bf16")
    if device.type == "cuda":
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        both["cuDNN: search for the fastest"] = nullcontext, lambda: switched(cudnn, "benchmark", True)
        both["TF32 in matrix products"] = nullcontext, lambda: switched(matmul, "allow_tf32", True)
        both["no TF32 in convolutions"] = nullcontext, lambda: switched(cudnn, "allow_tf32", False)
    return both


def compared(network: torch.nn.Module, shape: tuple[int, ...], both: tuple[Switch, Switch], rounds: int) -> list[str]:
    """Times as fast with the switch, and how far its answer is from the other."""
    device = next(network.parameters()).device
    x, t = torch.randn(shape, device=device), torch.zeros(shape[0], dtype=torch.int64, device=device)
    answers, seconds = [], ([], [])
    with torch.no_grad():
        for way in both:
            with way():
                answers.append(network(x, t).sample.clone())
        for _ in range(rounds):
            for way, found in zip(both, seconds, strict=True):
                with way():
                    found.append(timed(lambda: network(x, t), 3, Machine(device)))
    ratios = [off / on for off, on in zip(*seconds, strict=True)]
    return [spread(ratios), f"{(answers[0] - answers[1]).abs().max():.1e}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["digits"])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--rounds", type=int, default=25)
    asked = parser.parse_args()
    table = make_table(
        f"One switch, medians of {asked.rounds} rounds",
        ["network", "switch"],
        ["batch", "times as fast (range)", "difference"],
    )
    for experiment in asked.experiments:
        assembly = second_task(experiment, Method("finetune", 1, 0), asked.batches[0])
        denoiser = assembly.progress.learners["denoiser"]
        for name, both in switches(assembly.machine.device).items():
            for batch in asked.batches:
                found = compared(denoiser.network, (batch, *denoiser.shape), both, asked.rounds)
                table.add_row(experiment, name, str(batch), *found)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
