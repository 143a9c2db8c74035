"""A small run, and a process that dies in the midst of it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.tiny import tiny

STEPS, EVERY = 8, 3

CHILD = """
import json, os, signal, sys
import palimpsest
from palimpsest.core import files
from palimpsest.runs import checkpoint, recorder
from tests.tiny import QUIET

out, tables, strategy, where, count = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
calls = 0

def die_in(module, name):
    original = getattr(module, name)
    def dying(*args, **kwargs):
        global calls
        calls += 1
        if calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)
    setattr(module, name, dying)

places = {
    "step": (recorder.Recorder, "after_step"),
    "checkpoint": (checkpoint, "digest"),      # weights are written, their record is not
    "rename": (files, "flush"),                # files are written, the folder has no name yet
    "measure": (recorder, "results_of"),
}
die_in(*places[where])
palimpsest.train(tables, strategy=strategy, out=out, display=QUIET)
"""


def experiment() -> dict:
    return tiny(
        stream={"name": "digits", "tasks": 2},
        training={"steps": STEPS, "batch": 8, "average": 0.9},
        evaluation={"samples": 40, "steps": 2, "sheet": 4},
        engine={"log_every": 2, "checkpoint_steps": EVERY, "checkpoint_minutes": 0},
    )


def killed(out: Path, strategy: str, where: str, count: int) -> None:
    """Train in another process, which kills itself at the `count`-th visit to a place."""
    arguments = [str(out), json.dumps(experiment()), strategy, where, str(count)]
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], cwd=Path(__file__).parents[2], capture_output=True
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
