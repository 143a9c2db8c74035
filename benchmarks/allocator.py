"""What it saves to keep freed memory for the next pass: the digits network, each way in processes of its own that take turns.

python benchmarks/allocator.py [--batches 32 64 128 256] [--rounds 5]
"""

import argparse
import json
import statistics
import subprocess
import sys

from rich.console import Console
from stage import Method, make_table, second_task, spread, timed, whole_step

METHOD = Method("generative_distillation", 2, 3, {"teacher_steps": 2})


def measure(kept: bool, batches: list[int]) -> list[float]:
    """Seconds a picture of forward passes at each batch, and of a step of 32 + 32."""
    import torch

    from palimpsest.learning import devices

    if not kept:
        devices.keep_freed_memory = bool
    assembly, seconds = second_task("digits", METHOD, 32), []
    network = assembly.progress.learners["denoiser"].network
    for batch in batches:
        x, t = torch.randn(batch, 1, 8, 8), torch.zeros(batch, dtype=torch.int64)
        with torch.inference_mode():
            seconds.append(timed(lambda x=x, t=t: network(x, t), 2048 // batch, assembly.machine) / batch)
    return [*seconds, whole_step(assembly, 32)]


def asked_of_a_child(kept: bool, batches: list[int]) -> list[float]:
    """The same from a new process: what malloc is told cannot be taken back."""
    command = [sys.executable, __file__, "--child", str(int(kept)), "--batches", *map(str, batches)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        print(json.dumps(measure(bool(asked.child), asked.batches)))
        return
    rounds = [[asked_of_a_child(kept, asked.batches) for kept in (False, True)] for _ in range(asked.rounds)]
    table = make_table(
        f"Milliseconds, medians of {asked.rounds} rounds", [""], ["given back", "kept", "times as fast (range)"]
    )
    names = [*(f"a picture of a forward pass of {batch}" for batch in asked.batches), "a step of 32 + 32"]
    for number, name in enumerate(names):
        left, kept = ([both[way][number] for both in rounds] for way in (0, 1))
        milliseconds = (f"{1000 * statistics.median(values):.3g}" for values in (left, kept))
        table.add_row(name, *milliseconds, spread(a / b for a, b in zip(left, kept, strict=True)))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
