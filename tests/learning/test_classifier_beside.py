"""A classifier that learns beside a generator: two learners in one run."""

import json

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.models.classifier import open_classifier
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.events import read_events
from tests.tiny import QUIET, denoiser_strategies, interrupted_after, same, tiny, weights

CLASSIFIER = {"strategy": "auto", "training": {"steps": 3, "batch": 8}}


def classifier_of(run, task: int = 2):
    return open_classifier(run.path / "models" / f"task_{task}")


@pytest.mark.parametrize("name", denoiser_strategies())
def test_switching_it_on_leaves_the_denoiser_as_it_is(name, tiny_run, tmp_path):
    without = tiny_run(name)
    beside = palimpsest.train(tiny(classifier=CLASSIFIER), strategy=name, out=tmp_path / "with", display=QUIET)
    for task in ("task_1", "task_2"):
        assert weights(without.path / "models" / task) == weights(beside.path / "models" / task)
    costs = beside.results["cost"], without.results["cost"]
    assert all(costs[0][kind] == costs[1][kind] for kind in ("student_passes", "teacher_passes"))
    assert "accuracy" in beside.results["final"] and "accuracy" not in without.results["final"]


@pytest.mark.parametrize(
    ("name", "pictures", "dreamt", "remembers"),
    [
        ("finetune", 2 * 24, 0, []),
        ("joint", 2 * 24, 0, ["everything"]),
        ("lwf", 3 * 24, 24, ["teacher"]),
        ("experience_replay", 3 * 24, 24, ["teacher"]),
    ],
)
def test_it_learns_as_its_generator_does_and_is_counted_apart(name, pictures, dreamt, remembers, tmp_path):
    """3 steps of 8 in each of 2 tasks, and as many dreams of 10 steps, asked about once, in the second."""
    run = palimpsest.train(tiny(classifier=CLASSIFIER), strategy=name, out=tmp_path / "run", display=QUIET)
    cost = run.results["cost"]["classifier"]
    assert cost["student_passes"] == 3 * pictures
    assert cost["teacher_passes"] == (10 + 1) * dreamt
    assert cost["seconds"] > 0 and run.results["classifier_remembers"] == remembers
    assert list(run.results["options_beside"]) == (["generative_replay_classifier"] if dreamt else [])


@pytest.mark.parametrize("steps", [2, 5, 8, 12])
def test_a_run_with_two_learners_is_resumed_in_either(steps, tmp_path):
    """A task is 3 steps of the classifier, then 4 of the denoiser: interrupted in each of these, in both tasks."""
    tables = tiny(classifier=CLASSIFIER, evaluation={"samples": 40, "long_steps": 0})
    whole = palimpsest.train(tables, out=tmp_path / "whole", display=QUIET)
    with interrupted_after(steps):
        palimpsest.train(tables, out=tmp_path / "run", display=QUIET)
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    for task in (1, 2):
        assert same(classifier_of(run, task), classifier_of(whole, task))
        assert weights(run.path / "models" / f"task_{task}") == weights(whole.path / "models" / f"task_{task}")
    tasks = [[task | {"seconds": 0} for task in done.results["tasks"]] for done in (run, whole)]
    assert tasks[0] == tasks[1] and [part["learner"] for part in tasks[0][1]["replay"]] == ["classifier", "denoiser"]
    for kind in ("student_passes", "teacher_passes"):
        assert run.results["cost"][kind] == whole.results["cost"][kind]
        assert run.results["cost"]["classifier"][kind] == whole.results["cost"]["classifier"][kind]


def test_it_learns_from_what_the_generator_dreams_and_the_previous_classifier_says(tmp_path):
    run = palimpsest.train(tiny(classifier=CLASSIFIER), out=tmp_path / "run", display=QUIET)
    steps = [e for e in read_events(run.path / "events.jsonl") if e["event"] == "step"]
    terms = {(e["task"], e["phase"]): set(e["losses"]) for e in steps}
    assert terms == {
        (1, 0): {"data × label"},
        (1, 1): {"data × true_noise"},
        (2, 0): {"data × label", "dreams × teacher.soft"},
        (2, 1): {"data × true_noise", "dreams × teacher.noise"},
    }


def test_accuracies_stand_in_the_matrix_and_in_the_summaries(tmp_path):
    run = palimpsest.train(tiny(classifier=CLASSIFIER), out=tmp_path / "run", display=QUIET)
    (first,), (again, second) = matrix = run.results["accuracy_matrix"]
    final = run.results["final"]
    assert [[part["accuracy"] for part in task["per_task"]] for task in run.results["tasks"]] == matrix
    assert final["forgetting"] == pytest.approx(first - again) == -final["backward_transfer"]
    assert final["last_accuracy"] == pytest.approx(final["accuracy"])
    assert min(again, second) <= final["accuracy"] <= max(again, second)
    assert json.loads((run.path / "results.json").read_text()) == run.results


def test_a_saved_classifier_says_what_the_trained_one_said(tmp_path):
    run = palimpsest.train(tiny(classifier=CLASSIFIER), out=tmp_path / "run", display=QUIET)
    classifier, model = classifier_of(run), run.path / "models" / "task_2"
    assert classifier.shape == (1, 8, 8) and classifier.classes == tuple("0123456789")
    assert open_pipeline(model)[0].shape == (1, 8, 8), "the pipeline beside it opens as ever"
    (model / "classifier.json").write_text("{}")
    with pytest.raises(RequestError, match="classifier in .* cannot be opened"):
        open_classifier(model)


def test_a_classifier_can_be_the_learner_and_needs_no_generator(tmp_path):
    tables = tiny(classifier={"training": {"steps": 3, "batch": 8}}) | {"learner": "classifier"}
    run = palimpsest.train(tables, strategy="finetune", out=tmp_path / "run", display=QUIET)
    assert run.results["cost"]["student_passes"] == 2 * 3 * 3 * 8 and "classifier" not in run.results["cost"]
    assert set(run.results["final"]) >= {"accuracy", "forgetting"} and "fid" not in run.results["final"]
    assert not (run.path / "models" / "task_2" / "unet").exists() and classifier_of(run)


def test_lwf_serves_a_classifier_as_it_serves_a_denoiser(tmp_path):
    tables = tiny(classifier={"training": {"steps": 3, "batch": 8}}) | {"learner": "classifier"}
    run = palimpsest.train(tables, strategy="lwf", out=tmp_path / "run", display=QUIET)
    losses = [e["losses"] for e in read_events(run.path / "events.jsonl") if e["event"] == "step" and e["task"] == 2]
    assert set(losses[0]) == {"data × label", "data × teacher.soft"}


def test_what_cannot_be_trained_beside_a_generator_is_refused(tmp_path):
    for chosen, message in {
        "generative_replay": "which trains the denoiser; legal: none, auto, ",
        "jont": 'unknown strategy "jont". Did you mean "joint"',
    }.items():
        with pytest.raises(RequestError, match=message):
            palimpsest.train(tiny(classifier={"strategy": chosen}), out=tmp_path / "run", display=QUIET)
    with pytest.raises(
        RequestError, match="asks for the previous denoiser, and what is trained here is the classifier"
    ):
        palimpsest.train(tiny(), strategy="generative_replay_classifier", out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()


def test_the_length_of_its_training_is_as_published_unless_said():
    from palimpsest.runs.config import resolve

    training = resolve(tiny(classifier={"training": {"batch": 64}})).classifier.training
    assert (training.epochs, training.batch, training.learning_rate, training.clip_norm) == (20, 64, 1e-3, 0)
    training = resolve(tiny(classifier={"training": {"steps": 150}})).classifier.training
    assert (training.steps, training.epochs, training.batch) == (150, 0, 128)


def test_a_batch_without_pictures_is_classified(tmp_path):
    run = palimpsest.train(tiny(classifier=CLASSIFIER), out=tmp_path / "run", display=QUIET)
    assert classifier_of(run).logits(torch.zeros(0, 1, 8, 8)).shape == (0, 10)


def test_a_memory_serves_both_and_has_one_size(tmp_path):
    beside = CLASSIFIER | {"strategy": "experience_replay"}
    strategy = {"name": "generative_distillation", "experience_replay": {"memory_size": 6}}
    run = palimpsest.train(tiny(classifier=beside) | {"strategy": strategy}, out=tmp_path / "run", display=QUIET)
    steps = [e for e in read_events(run.path / "events.jsonl") if e["event"] == "step"]
    assert {"data × label", "memory × label"} in [set(e["losses"]) for e in steps if e["task"] == 2]
    strategy = {"name": "dark_replay", "dark_replay": {"memory_size": 4}, "experience_replay": {"memory_size": 6}}
    with pytest.raises(RequestError, match="give both one memory_size, not experience_replay 6 and dark_replay 4"):
        palimpsest.train(tiny(classifier=beside) | {"strategy": strategy}, out=tmp_path / "two", display=QUIET)


def test_pictures_too_small_for_its_network_are_refused_before_anything_is_written(tmp_path):
    tables = tiny(classifier=CLASSIFIER, stream={"size": 4}, denoiser={"block_out_channels": [8, 8]})
    with pytest.raises(RequestError, match="needs pictures of 8×8 or more, and these are 4×4"):
        palimpsest.train(tables, out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()
