"""Everything that wants a GPU, in the order of its worth: checks, the speed tables, published rows. It resumes.

What is done is marked in the folder, and a run that was cut off goes on from its checkpoint, so that the same command can be
given again until it says that nothing is left:

    python benchmarks/on_gpu.py runs/gpu --minutes 9
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
ROW = ["palimpsest", "train", "fashion_mnist", "--device", "cuda", "--precision", "bf16"]
STAGES: dict[str, list[str]] = {
    "checks": ["pytest", "tests/learning/test_gpu.py", "-q"],
    "step": [str(HERE / "step.py"), "fashion_mnist", "--batch", "128"],
    "step-digits": [str(HERE / "step.py"), "digits", "--batch", "128"],
    "plain-fp32": [str(HERE / "plain_loop.py"), "fashion_mnist", "digits", "--batch", "128"],
    "plain-bf16": [str(HERE / "plain_loop.py"), "fashion_mnist", "--batch", "128", "--precision", "bf16"],
    "efficiency": [str(HERE / "efficiency.py"), "fashion_mnist", "--batch", "128", "--precision", "bf16"],
    "sampling": [str(HERE / "sampling.py"), "fashion_mnist", "--batch", "1000"],
    "row-generative_distillation": [*ROW, "--strategy", "generative_distillation"],
    "row-trajectory_distillation": [*ROW, "--strategy", "trajectory_distillation"],
    "row-joint": [*ROW, "--strategy", "joint"],
    "row-generative_replay": [*ROW, "--strategy", "generative_replay"],
}


def command(stage: str, folder: Path) -> list[str]:
    """What a stage calls; a run that has begun is resumed."""
    words = STAGES[stage]
    if words[0] == "palimpsest":
        run = folder / stage
        words = ["palimpsest", "resume", str(run)] if (run / "config.toml").exists() else [*words, "--out", str(run)]
    return [sys.executable, *([] if words[0].endswith(".py") else ["-m"]), *words]


def work(stage: str, folder: Path, seconds: float) -> bool:
    """Whether the stage came to its end in that time. What it said is added to STAGE.log."""
    with (folder / f"{stage}.log").open("a") as log:
        child = subprocess.Popen(command(stage, folder), stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ))
        try:
            return child.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            child.terminate()  # a run saves its state
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()
            return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("torch finds no CUDA device here, and every stage needs one")
    asked.folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * asked.minutes
    for stage in asked.stages:
        mark = asked.folder / f"{stage}.done"
        left = end - time.monotonic()
        if mark.exists() or left < 20:
            continue
        began = time.monotonic()
        if work(stage, asked.folder, left):
            mark.touch()
        state = "done" if mark.exists() else "not done"
        print(f"{stage}: {state} after {time.monotonic() - began:.0f} s", flush=True)
    missing = [stage for stage in asked.stages if not (asked.folder / f"{stage}.done").exists()]
    print(f"left: {', '.join(missing) or 'nothing'}")


if __name__ == "__main__":
    main()
