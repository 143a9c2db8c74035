"""A run of a study in a process of its own: how it is started, watched and stopped, and what its folder says."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tomlkit

from palimpsest.core.errors import RequestError
from palimpsest.core.stopping import STUDY
from palimpsest.runs.config import resolve
from palimpsest.runs.deciding import first_difference
from palimpsest.runs.tables import read_experiment
from palimpsest.studies.grid import Planned

State = Literal["waiting", "running", "done", "failed", "interrupted"]
PROGRAM = (sys.executable, "-m", "palimpsest")
LOCK, MARK = ".lock", ".beginning"  # as in folder.py, which cannot be imported without torch


@dataclass
class Child:
    """One run of the study.

    path: its folder.  resumed: whether a run was there before the study.  why: what it failed of.  log_from: the
    byte of its log at which it was started.
    """

    plan: Planned
    path: Path
    state: State = "waiting"
    resumed: bool = False
    why: str = ""
    process: subprocess.Popen | None = field(default=None, repr=False)
    log_from: int = 0

    @property
    def log(self) -> Path:
        """What it says, beside its folder."""
        return self.path.with_name(f"{self.path.name}.log")

    @property
    def begun(self) -> bool:
        """Whether the folder holds a run to go on with: one whose beginning was cut off is begun again."""
        return (self.path / "config.toml").exists() and not (self.path / MARK).exists()

    @property
    def results(self) -> dict:
        """What results.json holds; nothing where there is none yet."""
        try:
            return json.loads((self.path / "results.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    @property
    def progress(self) -> str:
        """Such as "task 2 of 5", the task that is being learnt; a stream of the user's own does not say of how many."""
        stream, number = self.plan.experiment.stream, len(self.results.get("tasks", ())) + 1
        if stream.is_own:
            return f"task {number}"
        count = stream.tasks if isinstance(stream.tasks, int) else len(stream.tasks)
        return f"task {min(number, count)} of {count}"


def find(plan: Planned, folder: Path) -> Child:
    """A run as its folder shows it: finished, cut off, or not begun.

    Raises RequestError where the folder holds something else, or a run that another configuration decided.
    """
    child = Child(plan, folder / plan.name)
    if not child.begun:
        there = child.path.iterdir() if child.path.is_dir() else [child.path] if child.path.exists() else []
        if not (child.path / MARK).exists() and any(place.name != LOCK for place in there):
            raise RequestError(f"{child.path} is no run, and a run of the study would lie there; choose another --out.")
        return child
    key = first_difference(plan.experiment, resolve(read_experiment(child.path / "config.toml")))
    if key:
        raise RequestError(
            f"{child.path} holds a run of another configuration: {key} is not as in this study; choose another --out, "
            "or remove that run."
        )
    child.resumed = True
    if child.results.get("finished"):
        child.state = "done"
    return child


def start(child: Child, experiment: str, threads: int) -> None:
    """Set a waiting run going. threads: CPU threads of a new run, 0 to leave that to the experiment."""
    child.log.parent.mkdir(parents=True, exist_ok=True)
    with child.log.open("ab") as log:
        child.log_from = log.tell()
        child.process = subprocess.Popen(
            [*PROGRAM, *command(child, experiment, threads)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1", STUDY: str(os.getpid())},  # the log's last line is then the last that was said
            process_group=0,  # a terminal's Ctrl-C comes from us alone, for a second one would save nothing
        )
    child.state = "running"


def command(child: Child, experiment: str, threads: int) -> list[str]:
    """The arguments of palimpsest that begin the run, or go on with it."""
    if child.begun:
        return ["resume", str(child.path)]
    settings = ({"engine.threads": threads} if threads else {}) | dict(child.plan.settings)
    given = [part for key, value in settings.items() for part in ("--set", f"{key}={tomlkit.item(value).as_string()}")]
    names = ["--strategy", child.plan.strategy, "--seed", str(child.plan.seed)]
    return ["train", experiment, *names, *given, "--out", str(child.path)]


def look(child: Child, stopping: bool) -> None:
    """Note whether a running run has ended, and how."""
    code = child.process.poll()
    if code is None:
        return
    if code == 0:
        child.state = "done"
    elif stopping:
        child.state = "interrupted"
    else:
        child.state = "failed"
        child.why = f"killed by {signal.Signals(-code).name}" if code < 0 else last_line(child) or f"exit code {code}"


def last_line(child: Child) -> str:
    """The last line that the run said since it was started."""
    with child.log.open("rb") as log:
        log.seek(child.log_from)
        lines = log.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def stop(child: Child) -> None:
    """Ask a running run to save its state and end."""
    if child.process and child.process.poll() is None:
        child.process.send_signal(signal.SIGINT)
