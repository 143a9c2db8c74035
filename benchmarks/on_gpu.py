"""Everything that wants a GPU, in the order of its worth: checks, the speed tables, published rows. It resumes.

Needs no installation of palimpsest, but what it depends on, and for the rows $PALIMPSEST_DATA. Everything is kept in the folder, the
cache too: what is done is marked there, and a row that was cut off goes on from its checkpoint, so that the same command can be
given again, with the same folder, until it says that nothing is left:

    python benchmarks/on_gpu.py runs/gpu --minutes 9

Finished tables are printed, and the end of what failed. Time for saving is taken off the minutes.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
SAVING = 40  # seconds that a run has to save its state
NEEDED = (
    "accelerate",
    "diffusers",
    "pydantic",
    "pyarrow",
    "rich",
    "safetensors",
    "sklearn",
    "tomlkit",
    "typer",
    "pytest",
)
ROW = ["-m", "palimpsest", "train", "fashion_mnist", "--device", "cuda", "--precision", "bf16"]
ROW += ["--set", "engine.checkpoint_minutes=2"]
GD, TD = "strategy.generative_distillation", "strategy.trajectory_distillation"
EVALUATOR = """
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from palimpsest.runs.tables import read_experiment
from palimpsest.measuring.yardstick import make_yardstick
made = assemble(resolve(read_experiment("fashion_mnist"), settings={"engine.device": "cuda"}))
options = made.experiment
make_yardstick(made.stream, options.evaluation, options.stream.flip, made.machine.device, print)
"""


@dataclass(frozen=True)
class Stage:
    """Words for python. least: seconds without which it is not begun, because what it has done would be lost.

    A row, which is a run, is begun with any time that is left, and resumed.
    """

    words: tuple[str, ...]
    least: float = 60

    @property
    def is_row(self) -> bool:
        return self.words[: len(ROW)] == tuple(ROW)


def benchmark(name: str, *words: str, least: float = 60) -> Stage:
    return Stage((str(HERE / f"{name}.py"), *words, "--batch", "128"), least)


def row(strategy: str, *settings: str) -> Stage:
    return Stage((*ROW, "--strategy", strategy, *(word for each in settings for word in ("--set", each))))


STAGES: dict[str, Stage] = {
    "checks": Stage(("-m", "pytest", str(HERE.parent / "tests/learning/test_gpu.py"), "-q"), 120),
    "step": benchmark("step", "fashion_mnist", "--all", "--precision", "bf16", least=150),
    "plain-fp32": benchmark("plain_loop", "fashion_mnist", "digits", least=90),
    "plain-bf16": benchmark("plain_loop", "fashion_mnist", "--precision", "bf16"),
    "efficiency": benchmark("efficiency", "fashion_mnist", "--precision", "bf16"),
    "evaluator": Stage(("-c", EVALUATOR), 420),
    "row-generative_distillation": row("generative_distillation"),
    "row-reused": row("generative_distillation", f"{GD}.teacher_steps=10", f"{GD}.reuse=10"),
    "row-joint": row("joint"),
    "row-fresh": row("trajectory_distillation", f"{TD}.teacher_steps=20", f'{TD}.teacher_sampler="fresh"'),
    "row-generative_replay": row("generative_replay"),
    "step-digits": benchmark("step", "digits", least=90),
    "sampling": Stage((str(HERE / "sampling.py"), "fashion_mnist", "--batch", "1000")),
    "switches": Stage((str(HERE / "switches.py"), "fashion_mnist", "--batches", "128", "512")),
    "compiled": Stage((str(HERE / "layouts.py"), "fashion_mnist", "--batches", "128", "512", "--compile"), 240),
}


def command(stage: str, folder: Path) -> list[str]:
    """What a stage calls; a run that has begun is resumed."""
    made, run = STAGES[stage], folder / stage
    if not made.is_row:
        return [sys.executable, *made.words]
    if (run / "config.toml").exists():
        return [sys.executable, "-m", "palimpsest", "resume", str(run)]
    return [sys.executable, *made.words, "--out", str(run)]


def environment(folder: Path) -> dict[str, str]:
    """Of the stages: the package beside this folder, and a cache that stays with the results."""
    path = os.pathsep.join(filter(None, [str(HERE.parent / "src"), str(HERE.parent), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "PALIMPSEST_CACHE": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}


def work(stage: str, folder: Path, seconds: float) -> str:
    """How a stage came out: "done", "cut off", or "failed". What it said is added to STAGE.log."""
    with (folder / f"{stage}.log").open("a") as log:
        child = subprocess.Popen(
            command(stage, folder), stdout=log, stderr=subprocess.STDOUT, env=environment(folder), cwd=HERE.parent
        )
        try:
            return "failed" if child.wait(seconds) else "done"
        except subprocess.TimeoutExpired:
            child.terminate()  # a run saves its state
            try:
                child.wait(SAVING)
            except subprocess.TimeoutExpired:
                child.kill()
            return "cut off"


def tell(stage: str, folder: Path, state: str, seconds: float) -> None:
    """Say how it came out: all of a finished table, the end of anything else."""
    said = (folder / f"{stage}.log").read_text(errors="replace").splitlines()
    print(f"== {stage}: {state} after {seconds:.0f} s", flush=True)
    print("\n".join(said if state == "done" and not STAGES[stage].is_row else said[-15:]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    asked = parser.parse_args()
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        parser.error(f"these packages are not installed here: {', '.join(missing)}")
    if not torch.cuda.is_available():
        parser.error("torch finds no CUDA device here, and every stage needs one")
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * asked.minutes - SAVING
    for stage in asked.stages:
        left = end - time.monotonic()
        if (folder / f"{stage}.done").exists() or left < STAGES[stage].least:
            continue
        began = time.monotonic()
        state = work(stage, folder, left)
        if state == "done":
            (folder / f"{stage}.done").touch()
        tell(stage, folder, state, time.monotonic() - began)
    left_over = [stage for stage in asked.stages if not (folder / f"{stage}.done").exists()]
    print(f"left: {', '.join(left_over) or 'nothing'}")


if __name__ == "__main__":
    main()
