"""Warnings before training about what is hardly meant."""

import json
import re

import pytest

import palimpsest
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from tests.tiny import QUIET, tiny

FEW = {"name": "digits", "tasks": [[0, 1], [2, 3]], "labels": 4, "limit": 100}
ALL = FEW | {"labels": 0}
SHORT = {"jdcl": {"teacher_steps": 2, "per_class": 4}, "nncsl": {"memory_size": 4}}


def tables(strategy: str, stream: dict, **augmentation: list[str]) -> dict:
    learner = {"learner": "joint", "joint": {"head_width": 8}} if strategy == "jdcl" else {}
    return tiny(
        stream=stream, augmentation=augmentation, classifier={"training": {"steps": 2, "batch": 8}},
        training={"steps": 6, "average": 0.9}, **learner,
    )  # fmt: skip


def doubts(strategy: str, stream: dict, **augmentation: list[str]) -> tuple[str, ...]:
    return assemble(resolve(tables(strategy, stream, **augmentation), strategy, SHORT[strategy])).doubts


@pytest.mark.parametrize(
    ("strategy", "stream", "term", "key"),
    [
        ("jdcl", FEW, "unlabelled × confident", "strong"),
        ("nncsl", FEW, "supported × neighbours of data", "strong"),
        ("nncsl", ALL, "supported × neighbours of data", "logits"),
        ("nncsl", ALL | {"flip": True}, "supported × neighbours of data", "logits"),
    ],
)
def test_two_views_that_are_one_are_doubted_and_what_is_advised_helps(strategy, stream, term, key):
    (doubt,) = doubts(strategy, stream)
    assert doubt.startswith(f"{term} compares two views")
    advised, words = re.search(r"set augmentation\.(\w+), for instance to (\[.*\])", doubt).groups()
    assert advised == key and not doubts(strategy, stream, **{advised: json.loads(words)})


@pytest.mark.parametrize(
    ("strategy", "stream", "augmentation"),
    [
        ("jdcl", FEW, {"strong": ["cutout 2"]}),
        ("jdcl", FEW, {"logits": ["flip"]}),  # strong is as weak, and each is drawn by itself
        ("jdcl", FEW | {"flip": True}, {}),
        ("jdcl", ALL, {}),
        ("nncsl", ALL, {"logits": ["padded_crop 1"]}),
    ],
)
def test_views_that_differ_or_are_not_compared_are_not_doubted(strategy, stream, augmentation):
    assert not doubts(strategy, stream, **augmentation)


def test_it_is_said_once_before_training(tmp_path):
    run = palimpsest.train(tables("nncsl", FEW), strategy="nncsl", memory_size=4, out=tmp_path / "run", display=QUIET)
    events = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    said = [n for n, event in enumerate(events) if "compares two views" in event.get("text", "")]
    assert len(said) == 1 and events[said[0]]["event"] == "warning"
    assert said[0] < next(n for n, event in enumerate(events) if event["event"] == "step")
