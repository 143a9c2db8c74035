"""The time that is left, told by a clock of the test's own, and how often it is said."""

import io
import time

import pytest
from rich.console import Console

import palimpsest
from palimpsest.runs.display import Display
from tests.tiny import tiny


@pytest.fixture
def clock(monkeypatch):
    """What the clock shows, in seconds, to be moved on by hand."""
    shown = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: shown[0])
    return shown


def plain():
    return Display(Console(file=io.StringIO(), width=200))


def lines(display):
    return display.console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("amounts", "left"),
    [
        ([50, 10, 10, 10], "left: task 0:40, run 1:10"),  # the first task has five times what the others have
        ([1, 1, 1, 1], "left: task 0:40, run 3:10"),
    ],
)
def test_later_tasks_take_as_long_as_there_is_in_them(clock, amounts, left):
    display = plain()
    display.begin(1, amounts, "many", "", steps=50, done=0)
    clock[0] = 10
    display.step(10, {"noise": 1.0}, 5.0)
    assert left in lines(display)[-1]


def test_phases_to_come_take_what_they_took_in_the_last_task(clock):
    display = plain()
    for task, seconds in ((1, 8), (2, 2)):
        display.begin(task, [40, 10, 10], "some", "generator", steps=10, done=0)
        clock[0] += seconds
        display.step(10, {"noise": 1.0}, 5.0)
        if task == 1:
            display.begin(task, [1, 1, 1], "some", "classifier", steps=4, done=0)
            clock[0] += 4
            display.step(4, {"label": 1.0}, 5.0)
    # A classifier of 4 s; then a generator of 2 s, and a classifier.
    assert "left: task 0:04, run 0:10" in lines(display)[-1]


def test_without_a_terminal_a_line_comes_every_ten_seconds_and_at_the_end(clock):
    display = plain()
    display.begin(1, [1, 1], "some", "", steps=100, done=0)
    for step in range(1, 101):
        clock[0] += 0.5
        display.step(step, {"noise": 1.0}, 5.0)
    told = [int(line.split("/")[0].removeprefix("  step ")) for line in lines(display)[1:]]
    assert told == [1, 21, 41, 61, 81, 100]


@pytest.mark.parametrize(("training", "amounts"), [({"steps": 4}, [1, 1]), ({"steps": 0, "epochs": 1}, [300, 147])])
def test_epochs_are_as_long_as_a_task_has_pictures(tmp_path, monkeypatch, training, amounts):
    told, begin = [], Display.begin
    monkeypatch.setattr(
        Display,
        "begin",
        lambda display, task, amounts, *rest: told.append(amounts) or begin(display, task, amounts, *rest),
    )
    stream = {"name": "digits", "tasks": [[0, 1], [2]]}
    palimpsest.train(
        tiny(training=training, stream=stream), strategy="finetune", out=tmp_path / "run", display=Display(quiet=True)
    )
    assert told == [amounts, amounts]
