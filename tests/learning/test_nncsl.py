"""NNCSL as a run: few labels, a buffer, an interruption."""

import json

import pytest

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from palimpsest.runs.models import open_learners
from tests.tiny import QUIET, interrupted_after, same, tiny


def train(place, **sections):
    tables = tiny(
        stream={"name": "digits", "tasks": [[0, 1], [2, 3]], "labels": 4},
        classifier={"training": {"steps": 5, "batch": 8}},
        augmentation={"logits": ["padded_crop 1"]},
        **sections,
    )
    return palimpsest.train(tables, strategy="nncsl", memory_size=4, labels=0.1, out=place, display=QUIET)


def test_it_learns_from_all_pictures_and_keeps_a_few_labelled_ones(tmp_path):
    run = train(tmp_path / "run")
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    losses = [set(each["losses"]) for each in told if each["event"] == "step"]
    first = {"supported × neighbours of data", "supported × label of data"}
    assert losses[0] == first
    assert losses[-1] == first | {
        "supported × teacher.neighbours of memory",
        "supported × label of memory",
    }
    rows = 2 * 8 + 8, 2 * 8 + 8 + 4  # two views and the support; in the second task also the buffer
    assert run.results["cost"]["student_passes"] == 3 * 5 * sum(rows), "each row once, and its way back counts two"
    with interrupted_after(8):
        train(tmp_path / "again")
    again = palimpsest.resume(tmp_path / "again", display=QUIET)
    assert same(*(open_learners(each.path / "models" / "task_2")["classifier"] for each in (run, again)))


def test_an_epoch_is_one_of_all_pictures(tmp_path):
    """Of some 290 training pictures of two digits, and not of the 8 that have a label."""
    tables = tiny(
        stream={"name": "digits", "tasks": [[0, 1]], "labels": 4}, classifier={"training": {"epochs": 1, "batch": 16}}
    )
    run = palimpsest.train(tables, strategy="nncsl", memory_size=4, out=tmp_path / "run", display=QUIET)
    events = map(json.loads, (run.path / "events.jsonl").read_text().splitlines())
    assert 15 < max(event["step"] for event in events if event["event"] == "step") < 25


def test_synthetic_pictures_are_refused_for_they_would_count_nowhere(tmp_path):
    with pytest.raises(RequestError, match="synthetic.source is memory, and the strategy looks for neighbours"):
        train(tmp_path / "run", synthetic={"source": "memory"})
    assert not (tmp_path / "run").exists()


def test_its_buffer_has_as_many_of_each_class():
    assert assemble(resolve(tiny(), "nncsl")).progress.past.keeping.selection == "random"


def test_in_a_round_the_labels_of_the_buffer_are_all_that_there_is(tmp_path):
    """Four of them in each of five steps."""
    stream = {"name": "digits", "tasks": [[0, 1]], "labels": 4, "rounds": 1}
    tables = tiny(stream=stream, classifier={"training": {"steps": 5, "batch": 8}})
    run = palimpsest.train(tables, strategy="nncsl", memory_size=4, out=tmp_path / "run", display=QUIET)
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    assert [set(each["losses"]) for each in told if each["event"] == "step"][-1] == {"supported × label of memory"}
    assert run.results["cost"]["student_passes"] == 3 * 5 * (24 + 4)
    assert [task["seen"]["real"] for task in run.results["tasks"]] == [5 * (8 + 8), 0]
