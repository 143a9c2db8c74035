"""What a task costs when there have been many: seconds of each of ten tasks, and memory; only joint training may grow.

The peak of memory of a run of ten tasks stands beside that of a run that ends after two of them. Each run is a process of its
own, so that its peak is its own.

    python benchmarks/many_tasks.py [--steps 40] [--strategies ...]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from stage import make_table

STRATEGIES = ["joint", "experience_replay", "generative_replay", "generative_distillation", "trajectory_distillation"]
QUICK = {
    "classifier.strategy": "none",
    "evaluation.samples": 0,
    "evaluation.long_steps": 0,
    "evaluation.denoising": 0,
    "evaluation.replay": 0,
    "engine.log_every": 1000,
}


def run(strategy: str, steps: int, tasks: str, folder: Path) -> dict:
    """The results of a run over digits, one a task."""
    changed = QUICK | {"training.steps": steps, "stream.tasks": tasks}
    settings = [f"--set={name}={value}" for name, value in changed.items()]
    command = [
        sys.executable,
        "-m",
        "palimpsest",
        "train",
        "digits",
        "--strategy",
        strategy,
        "--out",
        str(folder),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *settings], check=True, stdout=subprocess.DEVNULL, env=environment)
    return json.loads((folder / "results.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    asked = parser.parse_args()
    numbers = [*(str(number) for number in range(1, 11)), "last ÷ second", "peak MB after 2", "after 10"]
    table = make_table(f"Seconds of training of each task, {asked.steps} steps a task", ["strategy"], numbers)
    with tempfile.TemporaryDirectory() as folder:
        for strategy in asked.strategies:
            many = run(strategy, asked.steps, "10", Path(folder) / strategy)
            two = run(strategy, asked.steps, "[[0],[1]]", Path(folder) / f"{strategy}-two")
            seconds = [task["seconds"] for task in many["tasks"]]
            peaks = [results["cost"]["peak_memory_bytes"] / 1e6 for results in (two, many)]
            ratio = f"{seconds[-1] / seconds[1]:.2f}"
            table.add_row(strategy, *(f"{value:.1f}" for value in seconds), ratio, *(f"{peak:,.0f}" for peak in peaks))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
