"""A run that was begun with an older version goes on with a newer one, or is refused with a sentence."""

import json
from pathlib import Path

import pytest

import palimpsest
from palimpsest.runs import checkpoint
from palimpsest.runs.config import resolve
from palimpsest.runs.identity import completed, defaults_of
from palimpsest.runs.tables import read_experiment
from tests.runs.killing import experiment, killed
from tests.tiny import QUIET, weights


def as_if_older(run: Path, *places: str) -> None:
    """Take things, by dotted keys, out of what the run's checkpoints say, as if they had come later."""
    for record in run.glob("checkpoints/*/state.json"):
        numbers = json.loads(record.read_text())["state"]
        for place in places:
            *outer, last = place.split(".")
            table = numbers
            for key in outer:
                table = table[key]
            del table[last]
        record.write_text(json.dumps({"state": numbers, "sha256": checkpoint.digest_text(json.dumps(numbers))}))


def test_a_checkpoint_of_another_form_is_refused(tmp_path):
    out = tmp_path / "run"
    killed(out, "generative_distillation", "step", 15)
    as_if_older(out, "form", "seen")
    with pytest.raises(palimpsest.RequestError, match="form 0, which another version"):
        palimpsest.resume(out, display=QUIET)


def test_options_that_came_after_a_checkpoint_do_not_stand_in_its_way(tmp_path):
    out, whole = tmp_path / "run", tmp_path / "whole"
    killed(out, "generative_distillation", "step", 15)
    as_if_older(out, "experiment.evaluation.clip", "experiment.feature_gan", "experiment.strategy.reuse")
    palimpsest.resume(out, display=QUIET)
    palimpsest.train(experiment(), strategy="generative_distillation", out=whole, display=QUIET)
    assert weights(out / "models" / "task_2") == weights(whole / "models" / "task_2")


def test_options_of_what_learns_beside_and_of_what_is_added_to_come_at_their_defaults():
    experiment = resolve(read_experiment("digits"), "ewc", {"beside": "generative_distillation"})
    strategy = {"name": "ewc", "passed_in": False, "beside": {"generative_replay_classifier": {"strength": 3.0}}}
    found = completed({"strategy": strategy}, experiment)["strategy"]
    assert found["teacher_steps"] == 2 and found["fisher_samples"] > 0
    assert found["beside"]["generative_replay_classifier"] == {
        **defaults_of("generative_replay_classifier"),
        "strength": 3.0,
    }


def test_an_option_that_came_later_and_is_not_at_its_default_is_a_difference(tmp_path):
    out = tmp_path / "run"
    killed(out, "generative_distillation", "step", 15)
    as_if_older(out, "experiment.training.average")
    with pytest.raises(palimpsest.RequestError, match="belong to another experiment: training.average"):
        palimpsest.resume(out, display=QUIET)
