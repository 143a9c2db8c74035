"""Rounds in which nothing arrives."""

import json

import pytest

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.runs.models import open_learners
from tests.tiny import QUIET, interrupted_after, same, tiny

STREAM = {"name": "digits", "tasks": [[0, 1, 2]], "rounds": 2}
QUICK = {"strategy": "self_training", "alpha": 0.1, "per_class": 6, "teacher_steps": 2}


def train(place, **options):
    tables = tiny(
        stream=STREAM, joint={"head_width": 8}, engine={"dream_batch": 8}, training={"steps": 6},
        evaluation=options.pop("evaluation", {"samples": 0, "steps": 2}),
    )  # fmt: skip
    return palimpsest.train(tables, out=place, display=QUIET, **QUICK | options)


def test_it_goes_on_with_its_own_dreams_and_is_measured_after_each_round(tmp_path):
    run = train(
        tmp_path / "run",
        evaluation={
            "samples": 40,
            "steps": 2,
            "long_steps": 0,
            "denoising": 4,
            "probe": 30,
            "evaluator": {"steps": 10},
        },
    )
    assert [task["classes"] for task in run.results["tasks"]] == [[0, 1, 2], [], []]
    for task in run.results["tasks"]:
        assert {"accuracy", "fid", "accuracy_probe"} <= task["measures"].keys()
        assert [each["task"] for each in task["per_task"]] == [1]
    errors = [task.get("denoising_error", {}).get("errors") for task in run.results["tasks"]]
    assert errors[0] is None and all(len(each) == 1 for each in errors[1:]), "the first task is watched in every round"
    assert run.results["accuracy_matrix"] == [[run.results["tasks"][0]["measures"]["accuracy"]]]
    assert "forgetting" not in run.results["final"]
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    losses = [set(each["losses"]) for each in told if each["event"] == "step"]
    assert losses[0] == {"data × true_noise", "data × label"} and losses[-1] == {
        "dreams × true_noise",
        "dreams × label",
    }


@pytest.mark.parametrize("options", [{}, {"distil": True}])
def test_a_round_that_was_interrupted_ends_the_same(options, tmp_path):
    whole = train(tmp_path / "whole", **options)
    with interrupted_after(15):
        train(tmp_path / "run", **options)
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    ours, theirs = (open_learners(each.path / "models" / "task_3")["joint"] for each in (run, whole))
    assert same(ours, theirs)


def test_a_generator_may_go_on_alone_and_fine_tuning_has_nothing_to_learn_from(tmp_path):
    tables = tiny(stream=STREAM)
    run = palimpsest.train(tables, strategy="generative_distillation", out=tmp_path / "run", display=QUIET)
    assert run.results["finished"] and len(run.results["tasks"]) == 3
    with pytest.raises(RequestError, match="nothing to learn from"):
        palimpsest.train(tables, strategy="finetune", out=tmp_path / "none", display=QUIET)
    assert not (tmp_path / "none").exists()
