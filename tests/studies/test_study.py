"""A study runs what is missing, goes on with what was cut off, and refuses before it starts."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

import palimpsest
from palimpsest.core.errors import Interrupted, RequestError, RunError
from palimpsest.runs import folder
from palimpsest.runs.config import resolve, to_toml
from palimpsest.studies import children
from palimpsest.studies.axes import parse_axes
from palimpsest.studies.display import StudyDisplay
from palimpsest.studies.study import cores, study
from tests.tiny import QUIET, interrupted_after, tiny, weights

SILENT = StudyDisplay(quiet=True)

STAND_IN = """
import json, pathlib, signal, sys, time
arguments = sys.argv[1:]
out = pathlib.Path(arguments[-1])
seed = arguments[arguments.index("--seed") + 1] if "--seed" in arguments else "0"
out.mkdir(parents=True, exist_ok=True)
notes = (out.parent / "notes").open("a", buffering=1)
def note(what):
    notes.write(f"{what} {out.name}" + chr(10))
def stop(*_):
    note("told")
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
note("begin")
print("arguments", json.dumps(arguments))
if "seed1" in out.name:
    sys.stderr.write("palimpsest: seed 1 brings no luck" + chr(10))
    sys.exit(1)
if "seed9" in out.name:
    time.sleep(60)
time.sleep(0.3)
note("end")
"""


@pytest.fixture
def experiment(tmp_path) -> Path:
    """A tiny experiment of two tasks and two steps, as a file without a number of threads."""
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(resolve(tiny(training={"steps": 2, "batch": 8}, engine={"threads": 0}))))
    return path


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> None:
    """Runs take a moment and train nothing: seed 1 fails, and seed 9 works until it is told to stop."""
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    monkeypatch.setattr(children, "PROGRAM", (sys.executable, "-S", str(script)))


def notes(out: Path) -> list[str]:
    return (out / "notes").read_text().splitlines()


def test_a_study_makes_what_train_makes_and_goes_on_with_what_was_cut_off(experiment, tmp_path):
    out, alone = tmp_path / "study", tmp_path / "alone"
    one = {"strategy": "joint", "set": {"engine.threads": 1}, "display": QUIET}
    with interrupted_after(3):
        palimpsest.train(experiment, out=out / "joint-seed0", **one)
    palimpsest.train(experiment, strategy="finetune", out=out / "finetune-seed0", display=QUIET)
    (out / "finetune-seed1").mkdir()
    (out / "finetune-seed1" / folder.MARK).touch()  # as if its beginning had been cut off
    jobs = cores()  # so that each has one thread
    outcome = study(experiment, strategies="joint,finetune", seeds="0,1", jobs=jobs, out=out, display=SILENT)
    outcome.check()
    names = ["joint-seed0", "finetune-seed0", "joint-seed1", "finetune-seed1"]
    assert [path.name for path in outcome.finished] == names
    assert {path.stem for path in out.glob("*.log")} == {*names} - {"finetune-seed0"}
    assert "task 1/2" not in (out / "joint-seed0.log").read_text()
    for seed in (0, 1):
        run = palimpsest.train(experiment, seed=seed, out=alone / str(seed), **one)
        for task in ("task_1", "task_2"):
            assert weights(out / f"joint-seed{seed}" / "models" / task) == weights(run.path / "models" / task)


def test_a_finished_study_starts_nothing(experiment, tmp_path, monkeypatch):
    run = palimpsest.train(experiment, strategy="joint", out=tmp_path / "study" / "joint-seed0", display=QUIET)
    monkeypatch.setattr(children, "PROGRAM", ("/nowhere",))
    said = StudyDisplay(Console(file=io.StringIO()))
    outcome = study(experiment, strategies="joint", seeds=[0], out=tmp_path / "study", display=said)
    assert outcome.finished == (run.path,) and not outcome.failed
    assert "joint-seed0: done before" in said.console.file.getvalue()


def test_a_run_of_another_configuration_is_refused_naming_the_key(experiment, tmp_path):
    out = tmp_path / "study"
    palimpsest.train(experiment, strategy="joint", out=out / "joint-seed0", display=QUIET)
    experiment.write_text(experiment.read_text().replace("steps = 2\nepochs", "steps = 3\nepochs"))
    with pytest.raises(RequestError, match="joint-seed0 holds a run of another configuration: training.steps"):
        study(experiment, strategies="joint", seeds=[0], out=out, display=SILENT)


def test_one_failed_run_does_not_stop_the_others_and_is_named_with_its_last_words(experiment, tmp_path, stand_in):
    said = StudyDisplay(Console(file=io.StringIO(), width=40))
    outcome = study(experiment, strategies="joint", seeds="0,1,2", out=tmp_path / "study", display=said)
    assert [path.name for path in outcome.finished] == ["joint-seed0", "joint-seed2"]
    with pytest.raises(
        RunError, match="1 of 3 runs failed.*joint-seed1: palimpsest: seed 1 brings no luck .*seed1.log"
    ):
        outcome.check()
    lines = said.console.file.getvalue().splitlines()
    assert lines[1:3] == ["joint-seed0: begins", "joint-seed0: done"]
    assert any(line.startswith("joint-seed1: failed: palimpsest: seed 1 brings no luck") for line in lines)


def test_so_many_runs_go_on_at_a_time(experiment, tmp_path, stand_in):
    study(experiment, strategies="joint,lwf", seeds="0,2,3", jobs=2, out=tmp_path / "study", display=SILENT)
    at_work = highest = 0
    for note in notes(tmp_path / "study"):
        at_work += 1 if note.startswith("begin") else -1
        highest = max(highest, at_work)
    assert (at_work, highest) == (0, 2)


def test_a_wish_to_stop_is_passed_on_once_and_waited_for(experiment, tmp_path, stand_in):
    def ask() -> None:
        while not (tmp_path / "study" / "notes").exists() or len(notes(tmp_path / "study")) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=ask)
    thread.start()
    with pytest.raises(Interrupted):
        study(experiment, strategies="joint,lwf,finetune", seeds="9", jobs=2, out=tmp_path / "study", display=SILENT)
    thread.join()
    assert sorted(notes(tmp_path / "study")) == [
        "begin joint-seed9", "begin lwf-seed9", "told joint-seed9", "told lwf-seed9",
    ]  # fmt: skip


def test_runs_of_a_study_that_was_killed_save_their_state_and_end(tmp_path):
    """kill -9 of the study alone: nobody would know of its runs any more."""
    place, out = tmp_path / "long.toml", tmp_path / "study"
    place.write_text(to_toml(resolve(tiny(training={"steps": 10**6}))))
    command = [sys.executable, "-m", "palimpsest", "study", str(place), "--strategies", "finetune", "--seeds", "0", "--out", str(out)]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    events = out / "finetune-seed0" / "events.jsonl"
    wait_until(lambda: events.exists() and '"step"' in events.read_text())
    parent.kill()
    parent.wait()
    log = out / "finetune-seed0.log"
    wait_until(lambda: "interrupted; the state is saved" in log.read_text())
    assert list((out / "finetune-seed0" / "checkpoints").iterdir())


def wait_until(there: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_a_run_is_given_its_settings_and_its_share_of_threads(experiment, tmp_path, stand_in):
    axes = parse_axes(["training.batch=4", "strategy.lwf.strength=2.5", "stream.tasks=[[0,1],[2,3]]"])
    out = tmp_path / "study"
    study(experiment, strategies="lwf", seeds="0", jobs=1000, set=axes, out=out, display=SILENT)
    (log,) = out.glob("*.log")
    arguments = json.loads(log.read_text().partition(" ")[2])
    settings = dict(setting.split("=", 1) for setting in arguments if "=" in setting)
    assert arguments[:6] == ["train", str(experiment), "--strategy", "lwf", "--seed", "0"]
    assert settings["engine.threads"] == "1" and settings["training.batch"] == "4"
    assert settings["strategy.lwf.strength"] == "2.5" and settings["stream.tasks"].replace(" ", "") == "[[0,1],[2,3]]"


def test_threads_that_are_asked_for_are_left_alone(experiment, tmp_path, stand_in):
    study(experiment, strategies="lwf", seeds="0", set={"engine.threads": [3]}, out=tmp_path / "user", display=SILENT)
    experiment.write_text(experiment.read_text().replace("threads = 0", "threads = 5"))
    study(experiment, strategies="lwf", seeds="0", out=tmp_path / "experiment", display=SILENT)
    assert "engine.threads=3" in (tmp_path / "user" / "lwf-seed0.log").read_text()
    assert "engine.threads" not in (tmp_path / "experiment" / "lwf-seed0.log").read_text()


def test_a_terminal_shows_every_runs_state(experiment, tmp_path, stand_in):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=30)
    study(experiment, strategies="joint", seeds="0,1", out=tmp_path / "study", display=StudyDisplay(console))
    text = console.file.getvalue()
    for part in ("2 runs: 1 waiting, 1 running", "running, task 1 of 2", "1 done, 1 failed", "seed 1 brings no luck"):
        assert part in text


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"strategies": "joint,generatve_replay"}, 'Did you mean "generative_replay"?'),
        ({"strategies": "joint,joint"}, "would be the same, joint-seed0"),
        ({"seeds": "0,x"}, 'was given "x"'),
        ({"seeds": "0,-1"}, 'was given "-1"'),
        ({"seeds": "0,0"}, "would be the same"),
        ({"seeds": ""}, "at least one seed"),
        ({"jobs": 0}, "--jobs is how many"),
        ({"set": {"training.stepz": [1]}}, 'Did you mean "training.steps"?'),
        ({"set": {"training.batch": [4, 0]}}, "training.batch: input should be greater"),
        ({"set": {"training.batch": [4, 4]}}, "would be the same"),
        ({"set": {"training.batch": []}}, "no value at all"),
        ({"set": {"engine.threads": [1, 2]}}, "would be the same"),
        ({"set": {"seed": [1, 2]}}, "give --seeds"),
        ({"set": {"strategy.name": ["joint"]}}, "give --strategies"),
        ({"set": {"strategy.lwf.strength": [1.0]}}, "no run of the study has that strategy"),
        ({"set": {"strategy.lfw.strength": [1.0]}}, 'unknown strategy "lfw"'),
        ({"published": True}, "has no published rows"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_started(asked, sentence, experiment, tmp_path):
    arguments = {"strategies": "joint", "seeds": "0", "out": tmp_path / "study", "display": SILENT}
    with pytest.raises(RequestError) as refused:
        study(experiment, **arguments | asked)
    assert sentence in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "study").exists()


def test_a_folder_that_is_no_study_is_refused(experiment, tmp_path):
    (tmp_path / "mine" / "joint-seed0").mkdir(parents=True)
    (tmp_path / "mine" / "joint-seed0" / "letter.txt").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()
    for out, sentence in (("mine", "is no run"), ("run", "is a run, and a study's folder holds runs")):
        with pytest.raises(RequestError, match=sentence):
            study(experiment, strategies="joint", seeds="0", out=tmp_path / out, display=SILENT)


def test_the_names_in_a_folder_are_those_that_a_run_writes():
    assert (children.MARK, children.LOCK) == (folder.MARK, folder.LOCK)


def test_runs_that_could_not_stand_in_one_table_are_refused_before_anything_is_started(experiment, tmp_path):
    for axes, key in (
        ({"evaluation.extractor": ["evaluator", "inception"]}, "evaluation.extractor"),
        ({"stream.size": [8, 16]}, "stream.size"),
    ):
        with pytest.raises(RequestError, match=f"runs with another {key} cannot stand in one table"):
            study(experiment, strategies="finetune", seeds="0", set=axes, out=tmp_path / "study", display=SILENT)
    assert not (tmp_path / "study").exists()
