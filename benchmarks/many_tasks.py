"""What a task costs when there have been many: seconds and memory of each of ten tasks; only joint training may grow.

Each run is a process of its own, so that its peak memory is its own.

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
from rich.table import Table

STRATEGIES = ["joint", "experience_replay", "generative_replay", "generative_distillation", "trajectory_distillation"]
QUICK = {
    "stream.tasks": 10,
    "classifier.strategy": "none",
    "evaluation.samples": 0,
    "evaluation.long_steps": 0,
    "evaluation.denoising": 0,
    "evaluation.replay": 0,
    "engine.log_every": 1000,
}


def run(strategy: str, steps: int, folder: Path) -> dict:
    """The results of a run over the ten digits, one a task."""
    settings = [f"--set={name}={value}" for name, value in (QUICK | {"training.steps": steps}).items()]
    command = [
        sys.executable,
        "-m",
        "palimpsest",
        "train",
        "digits",
        "--strategy",
        strategy,
        "--out",
        str(folder / strategy),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *settings], check=True, stdout=subprocess.DEVNULL, env=environment)
    return json.loads((folder / strategy / "results.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    asked = parser.parse_args()
    table = Table(title=f"Seconds of training of each task, {asked.steps} steps a task")
    for name in ("strategy", *(str(number) for number in range(1, 11)), "last ÷ second", "peak MB"):
        table.add_column(name, justify="left" if name == "strategy" else "right")
    with tempfile.TemporaryDirectory() as folder:
        for strategy in asked.strategies:
            results = run(strategy, asked.steps, Path(folder))
            seconds = [task["seconds"] for task in results["tasks"]]
            peak = results["cost"]["peak_memory_bytes"] / 1e6
            ratio = f"{seconds[-1] / seconds[1]:.2f}"
            table.add_row(strategy, *(f"{value:.1f}" for value in seconds), ratio, f"{peak:,.0f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
