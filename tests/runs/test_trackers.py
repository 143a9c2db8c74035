"""Trackers get what events.jsonl gets. TensorBoard and W&B are stood in for where they are not installed."""

import sys
import types

import pytest

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.runs.events import read_events
from palimpsest.runs.trackers import scalars_of
from tests.tiny import QUIET, tiny, weights


class Writer:
    """Stands in for SummaryWriter."""

    written: list = []

    def __init__(self, folder):
        self.written.clear()

    def add_scalar(self, name, value, step):
        self.written.append((name, value, step))

    def close(self):
        self.written.append("closed")


class FakeRun:
    """Stands in for a run of wandb."""

    def __init__(self, **asked):
        self.asked, self.logged, self.finished = asked, [], False

    def log(self, scalars):
        self.logged.append(scalars)

    def finish(self):
        self.finished = True


def with_tracker(name: str) -> dict:
    return tiny(engine={"tracker": name}, evaluation={"samples": 40, "long_steps": 0})


def standing_in(monkeypatch, name: str, **contents) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__spec__ = types.SimpleNamespace(name=name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_tensorboard_gets_losses_and_measures_and_changes_nothing(tmp_path, monkeypatch):
    standing_in(monkeypatch, "tensorboard")
    standing_in(monkeypatch, "torch.utils.tensorboard", SummaryWriter=Writer)
    run = palimpsest.train(with_tracker("tensorboard"), out=tmp_path / "run", display=QUIET)
    plain = palimpsest.train(with_tracker("none"), out=tmp_path / "plain", display=QUIET)
    assert weights(run.path / "models" / "task_2") == weights(plain.path / "models" / "task_2")
    assert Writer.written[-1] == "closed"
    events = read_events(run.path / "events.jsonl")
    losses = [(e["task"], e["step"], loss) for e in events if e["event"] == "step" for loss in e["losses"].values()]
    tracked = [entry for entry in Writer.written[:-1] if entry[0].startswith("task ")]
    assert [(value, step) for _, value, step in tracked] == [(loss, step) for _, step, loss in losses]
    assert ("measures/fid", run.results["final"]["fid"], 2) in Writer.written


def test_wandb_goes_on_in_the_same_place(tmp_path, monkeypatch):
    runs = []
    standing_in(monkeypatch, "wandb", init=lambda **asked: runs.append(FakeRun(**asked)) or runs[-1])
    palimpsest.train(with_tracker("wandb"), out=tmp_path / "run", display=QUIET)
    (run,) = runs
    assert run.finished and run.asked["id"].endswith("run") and run.asked["resume"] == "allow"
    assert run.asked["config"]["training"]["steps"] == 4
    assert any("measures/fid" in logged for logged in run.logged)


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("palimpsest.runs.trackers.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'palimpsest\[wandb\]'"):
        palimpsest.train(with_tracker("wandb"), out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()


def test_other_events_hold_no_numbers():
    assert scalars_of("checkpoint", {"name": "00000001", "step": 4}) == ({}, 0)


def test_the_real_tensorboard_writes_a_file(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra [tensorboard] is not installed")
    run = palimpsest.train(with_tracker("tensorboard"), out=tmp_path / "run", display=QUIET)
    assert list((run.path / "tensorboard").glob("events.out.tfevents.*"))
