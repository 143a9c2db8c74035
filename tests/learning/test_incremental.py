"""Classifiers that learn class by class, as runs: iCaRL and LUCIR."""

import json
import tomllib
from math import sqrt

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.learning.past import Past
from palimpsest.runs.asking import classify
from palimpsest.runs.models import open_learners
from palimpsest.sources import keeping
from tests.learning.steps import Step
from tests.tiny import QUIET, interrupted_after, same, tiny


def tables(**sections):
    base = {
        "learner": "classifier",
        "stream": {"name": "digits", "tasks": [[0, 1, 2], [3], [4, 5]], "limit": 400},
        "classifier": {"network": "resnet8", "head": "growing", "training": {"steps": 6, "batch": 16}},
        "augmentation": {"logits": ["padded_crop 1"]},
    }
    return tiny(**(base | sections))


def train(place, strategy, **options):
    return palimpsest.train(tables(), strategy=strategy, out=place, display=QUIET, **options)


def losses(run, task):
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    return [set(each["losses"]) for each in told if each["event"] == "step" and each["task"] == task]


CASES = {
    "icarl": {"per_class": 4},
    "icarl sigmoid": {"per_class": 4, "loss": "sigmoid"},
    "icarl reservoir": {"memory_size": 12, "selection": "reservoir"},
    "lucir": {"per_class": 4, "balanced_epochs": 1},
    "experience_replay": {"per_class": 4, "selection": "herding"},
    "lwf": {},
    "podnet": {"per_class": 4, "balanced_epochs": 1},
    "foster": {"per_class": 4},
    "der_expand": {"per_class": 4, "balanced_epochs": 1},
}


@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_run_ends_as_one_that_was_not(case, tmp_path):
    """Stopped in the second task; its memory, arrived classes and frozen rows are part of the checkpoint."""
    strategy, options = case.split()[0], CASES[case]
    whole = train(tmp_path / "whole", strategy, **options)
    with interrupted_after(9):
        train(tmp_path / "run", strategy, **options)
    resumed = palimpsest.resume(tmp_path / "run", display=QUIET)
    for name, learner in open_learners(whole.path / "models" / "task_3").items():
        assert same(learner, open_learners(resumed.path / "models" / "task_3")[name]), name
    assert [t["measures"] for t in resumed.results["tasks"]] == [t["measures"] for t in whole.results["tasks"]]


@pytest.mark.parametrize("strategy", ["icarl", "lwf", "experience_replay", "joint"])
def test_the_first_task_is_finetuning(strategy, tmp_path):
    first, other = train(tmp_path / "first", "finetune"), train(tmp_path / "other", strategy)
    models = [open_learners(run.path / "models" / "task_1")["classifier"] for run in (first, other)]
    assert same(*models)


def test_lucir_learns_with_three_losses_from_the_second_task_on(tmp_path):
    run = train(tmp_path / "run", "lucir", per_class=4)
    assert losses(run, 1)[0] == {"data × label"}
    assert losses(run, 2)[0] == {"data × label", "data × teacher.features", "data × margin"}
    before, after = (open_learners(run.path / "models" / f"task_{k}")["classifier"].network.head for k in (1, 2))
    assert torch.equal(before.weight[:3], after.weight[:3]), "old rows are frozen"
    assert not torch.equal(before.weight[3], after.weight[3])
    assert after.scale != before.scale


def test_balanced_fine_tuning_changes_the_last_layer_alone(tmp_path):
    runs = [train(tmp_path / str(epochs), "lucir", per_class=4, balanced_epochs=epochs) for epochs in (0, 1)]
    plain, balanced = (open_learners(run.path / "models" / "task_2")["classifier"] for run in runs)
    for name, tensor in plain.state_dict().items():
        alike = torch.equal(tensor, balanced.state_dict()[name])
        assert alike == (name not in ("network.head.old", "network.head.new", "network.head.scale")), name
    assert losses(runs[1], 2)[-1] == {"balanced × label", "balanced × margin"}


@pytest.mark.parametrize("selection", ["random", "herding"])
def test_what_is_balanced_is_what_will_be_remembered(selection, tmp_path, monkeypatch):
    """The balanced phase leaves features as they are, so that herding finds the same pictures before and after it."""
    chosen, balanced = [], Past.balanced
    kept = Past.remembering
    monkeypatch.setattr(Past, "balanced", lambda *a: chosen.append(balanced(*a).pictures) or balanced(*a))
    monkeypatch.setattr(Past, "remembering", lambda *a: chosen.append(kept(*a).pictures) or kept(*a))
    train(tmp_path / "run", "lucir", per_class=4, selection=selection, balanced_epochs=1)
    before, after = chosen[-2:]  # of the third task
    assert len(before) == 4 * 6 and torch.equal(before.pixels, after.pixels)


def test_what_the_balanced_phase_learns_from_is_not_chosen_twice(tmp_path, monkeypatch):
    """Six classes come, three of them after the first task: each is herded once."""
    chosen, herding = [], keeping.herding
    monkeypatch.setattr(keeping, "herding", lambda *a: chosen.append(1) or herding(*a))
    train(tmp_path / "run", "lucir", per_class=4, balanced_epochs=1)
    assert len(chosen) == 6


def test_an_estimate_looks_at_no_picture_to_choose_some(monkeypatch):
    monkeypatch.setattr("palimpsest.sources.keeping.herding", None)
    assert palimpsest.estimate(tables(), strategy="lucir", per_class=4, balanced_epochs=1).steps


def strength_of(old, new):
    """What less-forget counts in LUCIR's second phase of so many old and new classes."""
    phase = next(Step("lucir", old, new).phases())
    (term,) = [term for term in phase.present if term.target.name == "teacher.features"]
    return term.weight


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [(50, 10, 11.2), (90, 10, 15.0), (50, 5, 15.8), (95, 5, 21.8), (50, 2, 25.0), (98, 2, 35.0)],
)
def test_less_forget_counts_what_the_published_code_makes_it_count(old, new, expected):
    """Also in the first increment, where a well-known re-implementation gives it nothing."""
    assert strength_of(old, new) == pytest.approx(expected, abs=0.05)
    assert strength_of(old, new) == pytest.approx(5 * sqrt(old / new))


def test_icarl_predicts_by_the_nearest_mean_and_says_what_its_last_layer_would(tmp_path):
    run = train(tmp_path / "run", "icarl", per_class=4)
    last = run.results["tasks"][-1]["measures"]
    assert last["accuracy"] == last["accuracy_nearest_mean"] != last["accuracy_softmax"]
    assert {"accuracy_old", "accuracy_new", "base_forgetting", "average_incremental_accuracy"} <= last.keys()
    softmax = [task["measures"]["accuracy_softmax"] for task in run.results["tasks"]]
    assert last["average_incremental_accuracy_softmax"] == pytest.approx(sum(softmax) / 3)
    assert run.results["final"]["average_incremental_accuracy_softmax"] == last["average_incremental_accuracy_softmax"]
    assert last["average_incremental_accuracy_nearest_mean"] == pytest.approx(last["average_incremental_accuracy"])
    found = open_learners(run.path / "models" / "task_3")
    x = 2 * torch.rand(3, 1, 8, 8) - 1
    assert torch.equal(classify(run.path, x).argmax(1), found["nearest_mean"].logits(x).argmax(1))
    lucir = train(tmp_path / "lucir", "lucir", per_class=4).results["tasks"][-1]["measures"]
    assert lucir["accuracy"] == lucir["accuracy_softmax"]


def test_evaluate_measures_the_same_again(tmp_path):
    run = train(tmp_path / "run", "icarl", per_class=4)
    again = palimpsest.evaluate(run.path, display=QUIET)
    assert again["accuracy_matrix"] == run.results["accuracy_matrix"]
    assert (
        again["tasks"][-1]["measures"]["accuracy_softmax"] == run.results["tasks"][-1]["measures"]["accuracy_softmax"]
    )


def test_classes_that_have_not_arrived_are_not_predicted(tmp_path):
    run = train(tmp_path / "run", "finetune")
    said = classify(run.path, 2 * torch.rand(50, 1, 8, 8) - 1, task=1)
    assert said[:, :3].sum(1) == pytest.approx(torch.ones(50)) and not said[:, 3:].any()


def test_what_is_wrong_is_known_before_anything_is_written(tmp_path):
    for match, strategy, options in (
        ("memory_size is 3, and there are 6 classes", "icarl", {"memory_size": 3}),
        ('unknown loss of icarl "hinge"', "icarl", {"loss": "hinge"}),
        ("strength and temperature are of icarl's softmax form", "icarl", {"loss": "sigmoid", "temperature": 3.0}),
        ("memory_size and per_class are both 0", "icarl", {"memory_size": 0}),
        ("the margin is held to 0", "lucir", {"nearest": 0}),
        ("the margin is 3, and it is between cosines: from 0 to 2", "lucir", {"margin": 3.0}),
        ("a balanced phase learns from remembered pictures, and none are kept", "podnet", {"per_class": 0}),
        ("or give memory_size in place of per_class", "icarl", {"per_class": 2, "selection": "reservoir"}),
        ("option balanced_epochs of strategy lucir is a number from 0, and was given -1", "lucir", {"balanced_epochs": -1}),
    ):
        with pytest.raises(RequestError, match=match):
            train(tmp_path / "run", strategy, **options)
    assert not (tmp_path / "run").exists()


def test_herding_needs_somebody_who_sees(tmp_path):
    with pytest.raises(RequestError, match="in the features of a classifier, and what is trained is the denoiser"):
        palimpsest.train(tiny(), strategy="experience_replay", selection="herding", out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()


def test_damaged_means_are_one_sentence(tmp_path):
    run = train(tmp_path / "run", "icarl", per_class=4)
    (run.path / "models" / "task_3" / "nearest_mean.safetensors").write_bytes(b"damaged")
    with pytest.raises(RequestError, match="nearest_mean.safetensors cannot be read"):
        classify(run.path, torch.zeros(1, 1, 8, 8))


def test_what_it_would_cost_is_estimated(tmp_path):
    """The second task of LUCIR has a teacher's pass for each picture, of those that are remembered, too."""
    found = palimpsest.estimate("digits_incremental", strategy="lucir", set={"classifier.training.epochs": 1})
    assert found.steps > 0 and found.student_passes > found.teacher_passes > 0


def warnings(run):
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    return [(each["task"], each["text"]) for each in told if each["event"] == "warning"]


def test_a_class_that_the_memory_loses_is_a_warning(tmp_path):
    """Shares of tasks: in the end 2, 1 and 1 pictures of three, one and two classes."""
    run = train(tmp_path / "run", "experience_replay", memory_size=4, selection="by_task")
    lost = [(task, text) for task, text in warnings(run) if "the memory keeps no picture of" in text]
    assert {task for task, _ in lost} >= {3} and all(
        "it is chosen by by_task; give a larger memory_size" in t for _, t in lost
    )
    (last,) = (text for task, text in lost if task == 3)
    named = last.split(" of ")[1].split(",")[0]
    assert named in "012345"
    whole = train(tmp_path / "whole", "experience_replay", memory_size=12, selection="random")
    assert not [text for _, text in warnings(whole) if "the memory keeps" in text]


def test_a_head_that_always_grows_is_written_down_so(tmp_path):
    """LUCIR's does, whatever the experiment says of the classifier; iCaRL's is as it says."""
    for strategy, head in (("lucir", "growing"), ("icarl", "fixed")):
        run = train(tmp_path / strategy, strategy, set={"classifier.head": "fixed"})
        assert tomllib.loads((run.path / "config.toml").read_text())["classifier"]["head"] == head
