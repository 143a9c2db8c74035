"""Rounds in which nothing arrives."""

import json

import pytest
from safetensors import safe_open

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


def losses(run) -> dict:
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    return [each["losses"] for each in told if each["event"] == "step"][-1]


@pytest.mark.parametrize(
    ("heads", "taught"),
    [("noise", {"teacher.noise"}), ("classes", {"teacher.soft"}), ("both", {"teacher.noise", "teacher.soft"})],
)
def test_what_is_distilled_can_be_chosen(heads, taught, tmp_path):
    run = train(tmp_path / "run", distil=True, heads=heads)
    assert losses(run).keys() == {f"dreams × {name}" for name in {"true_noise", "label", *taught}}


def test_nothing_else_can_be_distilled(tmp_path):
    with pytest.raises(RequestError, match='unknown heads of self_training "kl". Legal: both, classes, noise'):
        train(tmp_path / "run", distil=True, heads="kl")
    with pytest.raises(RequestError, match="heads is noise, and nothing is distilled; add distil = true"):
        train(tmp_path / "run", heads="noise")


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


def test_a_memory_keeps_what_it_has_when_nothing_arrives(tmp_path):
    tables = tiny(stream=STREAM)
    run = palimpsest.train(tables, strategy="experience_replay", memory_size=12, out=tmp_path / "run", display=QUIET)
    newest = sorted((run.path / "checkpoints").iterdir())[-1]
    with safe_open(newest / "state.safetensors", "pt") as state:
        assert len(state.get_tensor("memory.0.labels")) == 12 and "memory.1.labels" not in state.keys()


@pytest.mark.parametrize("strategy", ["ewc", "rank1_ewc", "gfr", "guide"])
def test_what_needs_pictures_goes_without_them(strategy, tmp_path):
    """Importance is not measured in a round, features are not learnt, and there is nothing new to bend dreams towards."""
    tables = tiny(
        stream={"name": "digits", "tasks": [[0, 1], [2, 3]], "rounds": 2},
        classifier={"training": {"steps": 3, "batch": 8}},
        feature_gan={"codes": 4, "hidden": 8, "training": {"steps": 3, "batch": 8}},
    )
    options = {"guide": {"teacher_steps": 2, "guided_steps": 2}, "gfr": {}}.get(
        strategy, {"beside": "generative_replay"}
    )
    run = palimpsest.train(tables, strategy=strategy, out=tmp_path / "run", display=QUIET, **options)
    assert run.results["finished"] and len(run.results["tasks"]) == 4


def test_rounds_in_epochs_are_refused_before_the_first_task(tmp_path):
    tables = tiny(stream=STREAM, training={"steps": 0, "epochs": 1})
    with pytest.raises(RequestError, match="draws no real pictures, so its length in epochs is unknown"):
        palimpsest.train(tables, strategy="generative_distillation", out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()
