"""The demo beside generative distillation as it is published: what each makes of the same digits, and in what time.

What it is compared with is two-step dreams, used once, and 240 steps a task, which the demo was until there was something
better. Each run is a command of its own, with one thread; the runs take turns.

    python benchmarks/demo.py [--seeds 0 1 2] [the demo's options: --teacher-steps 10 ...]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from stage import make_table

PUBLISHED = ["--teacher-steps", "2", "--reuse", "1", "--set", "training.steps=240"]
MEASURES = ("fid", "fid_long", "kld", "kld_long")


def run(options: list[str], seed: int, folder: Path) -> dict[str, float]:
    """The measures of a run after its last task, and its seconds: of training, and of everything that it does."""
    where = ["--seed", f"{seed}", "--out", f"{folder}"]
    command = [sys.executable, "-m", "palimpsest", "train", "digits", *options, *where]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    results = json.loads((folder / "results.json").read_text())
    times = [json.loads(line)["time"] for line in (folder / "events.jsonl").read_text().splitlines()]
    seconds = {"training": results["cost"]["seconds"], "all": times[-1] - times[0]}
    return {name: results["final"][name] for name in MEASURES} | seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked, options = parser.parse_known_args()
    found: dict[str, list[dict[str, float]]] = {"published": [], "demo": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in asked.seeds:
            for name, given in (("published", PUBLISHED), ("demo", options)):
                found[name].append(run(given, seed, Path(folder) / f"{name}-{seed}"))
    seeds = ", ".join(map(str, asked.seeds))
    table = make_table(
        f"After five tasks, seeds {seeds} and their mean", ["", *(f"`{each}`" for each in found)], ["ratio"]
    )
    for key in found["demo"][0]:
        values = [[each[key] for each in several] for several in found.values()]
        means = [statistics.mean(each) for each in values]
        said = [", ".join(f"{one:.3g}" for one in each) for each in values]
        cells = (f"{words}: {mean:.3g}" for words, mean in zip(said, means, strict=True))
        table.add_row(key + (", seconds" if key in ("training", "all") else ""), *cells, f"{means[1] / means[0]:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
