"""PODNet, FOSTER and dynamically expandable representation, as runs."""

from dataclasses import replace
from math import sqrt

import pytest
import torch
from safetensors.torch import load_file

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.learning.mixing import Mixing
from palimpsest.learning.options import SyntheticOptions
from palimpsest.learning.teacher import frozen
from palimpsest.learning.work import Descent
from palimpsest.models.classifier import build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.runs.models import open_learners
from palimpsest.sources.guarded import Guarded
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import NeighbourhoodComponents, label
from tests.learning.steps import Step
from tests.learning.test_incremental import losses, tables, train
from tests.tiny import QUIET, interrupted_after, same

SHORT = {
    "podnet": {"per_class": 4, "balanced_epochs": 1},
    "foster": {"per_class": 4},
    "der_expand": {"per_class": 4, "balanced_epochs": 1},
}


def learnt(run, task):
    return open_learners(run.path / "models" / f"task_{task}")["classifier"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, cache_folder):
    return {name: train(tmp_path_factory.mktemp(name) / "run", name, **SHORT[name]) for name in SHORT}


@palimpsest.strategy(learners=("proxy_classifier",))
def plain_podnet(now, past):
    return palimpsest.Phase("proxy_classifier", [palimpsest.Term(now.data, NeighbourhoodComponents())])


@palimpsest.strategy(learners=("boosted_classifier",))
def plain_foster(now, past):
    return palimpsest.Phase("boosted_classifier", [palimpsest.Term(now.data, label)])


@palimpsest.strategy(learners=("expanding_classifier",))
def plain_der_expand(now, past):
    return palimpsest.Phase("expanding_classifier", [palimpsest.Term(now.data, label)])


@pytest.mark.parametrize("plain", [plain_podnet, plain_foster, plain_der_expand])
def test_the_first_task_is_plain_training_of_the_strategys_own_model(plain, runs, tmp_path):
    alone = palimpsest.train(tables(), strategy=plain, out=tmp_path / "run", display=QUIET)
    assert same(learnt(alone, 1), learnt(runs[plain.__name__.removeprefix("plain_")], 1))


@pytest.mark.parametrize("strategy", SHORT)
def test_stopped_in_a_later_phase_it_ends_the_same(strategy, runs, tmp_path):
    """Six steps of the first task, six of the second's first phase, and one of its second."""
    with interrupted_after(13):
        train(tmp_path / "run", strategy, **SHORT[strategy])
    resumed = palimpsest.resume(tmp_path / "run", display=QUIET)
    assert same(learnt(resumed, 3), learnt(runs[strategy], 3))
    assert resumed.results["accuracy_matrix"] == runs[strategy].results["accuracy_matrix"]


def test_podnet_learns_with_three_losses_and_leaves_old_rows(runs):
    run = runs["podnet"]
    assert losses(run, 1)[0] == {"data × label by nca"}
    assert losses(run, 2)[0] == {"data × label by nca", "data × teacher.stages", "data × teacher.features"}
    assert losses(run, 2)[-1] == {"balanced × label by nca"}
    assert run.results["cost"]["teacher_passes"] == 2 * 6 * 16 + 16 + 24, "once for both, and for balance"


def test_old_rows_of_podnet_do_not_change_before_the_balance_and_its_scale_not_in_it(runs, tmp_path):
    alone = train(tmp_path / "run", "podnet", per_class=4, balanced_epochs=0)
    first, before, after = (learnt(run, task).network.head for run, task in ((alone, 1), (alone, 2), (runs["podnet"], 2)))
    assert first.weight.shape == (10, 10, 64) and torch.equal(first.weight[:3], before.weight[:3])
    assert not torch.equal(first.weight[3], before.weight[3]) and not torch.equal(before.weight[:3], after.weight[:3])
    assert not torch.equal(first.scale, before.scale) and torch.equal(before.scale, after.scale)


@pytest.mark.parametrize(
    ("strategy", "rate", "schedule", "milestones"),
    [("podnet", 0.5, "constant", None), ("der_expand", 0.5, "step", (0.3, 0.6)), ("lucir", 0.1, "step", (0.5,))],
)
def test_the_last_layer_descends_as_published_whatever_the_experiments_schedule_is(
    strategy, rate, schedule, milestones, tmp_path, monkeypatch
):
    found, of = [], Descent.of.__func__
    monkeypatch.setattr(
        Descent, "of", classmethod(lambda cls, phase, *rest: found.append((phase.name, made := of(cls, phase, *rest))) or made)
    )
    how = {"schedule": "cosine", "learning_rate": 0.1}
    two = tables(stream={"name": "digits", "tasks": [[0, 1, 2], [3, 4]], "limit": 100})
    two["classifier"]["training"] |= how
    palimpsest.train(two, strategy=strategy, out=tmp_path / "run", display=QUIET, per_class=4, balanced_epochs=1)
    (descent,) = {made for name, made in found if name == "balance"}
    assert descent.options.schedule == schedule and descent.options.learning_rate == pytest.approx(0.1 * rate)
    assert milestones in (None, descent.options.milestones)
    assert {made.options.schedule for name, made in found if name == "train"} == {"cosine"}


def test_the_last_layer_of_der_begins_anew():
    step = Step("der_expand", 2, 2)
    untrained = build_classifier(ClassifierOptions(network="resnet8", head="growing"), (1, 8, 8), [""] * 4, 0, rooms=2)
    with torch.no_grad():
        for parameter in step.learner.parameters():
            parameter += 1
    now = replace(step.now, build=lambda name: untrained)
    made = now.renewed("expanding_classifier", frozen(step.learner)).learner
    assert same(made.network.head, untrained.network.head) and same(made.network.branches, step.learner.network.branches)
    assert not same(step.learner.network.head, untrained.network.head), "the classifier itself is as it was"


def phase_of(name, old, new):
    """The first phase of a step of so many old and new classes, with three pictures of each new one."""
    step = Step(name, old, new, each=3)
    return next(step.phases()), step.past


@pytest.mark.parametrize(("old", "new"), [(50, 10), (90, 10), (50, 5), (98, 2)])
def test_what_podnet_keeps_grows_with_the_classes_seen(old, new):
    weights = {term.target.name: term.weight for term in phase_of("podnet", old, new)[0].present}
    factor = sqrt((old + new) / new)
    expected = {"label by nca": 1.0, "teacher.stages": 3 * factor, "teacher.features": factor}
    assert weights == pytest.approx(expected)


def test_synthetic_pictures_count_among_those_that_classes_are_weighed_by():
    """Of the two new classes there are three pictures each; of old ones five synthetic ones, where they count for classification."""
    phase, past = phase_of("foster", 2, 2)
    some = Pictures(torch.zeros(10, 1, 8, 8, dtype=torch.uint8), torch.arange(2).repeat(5))

    def counts(mixing):
        (term,) = [term for term in phase.terms if term.target.name == "balanced label"]
        target = mixing.term(term, Guarded(some, past.classes, mixing.leak)).target
        return dict(getattr(target, "target", target).balance.counts)

    assert counts(Mixing(SyntheticOptions(source="ideal"), some)) == {0: 5, 1: 5, 2: 3, 3: 3}
    assert counts(Mixing(SyntheticOptions(source="ideal", batch="pooled"), some)) == {0: 5, 1: 5, 2: 3, 3: 3}
    assert counts(Mixing(SyntheticOptions(source="ideal", losses="distillation"), some)) == {2: 3, 3: 3}


def test_foster_boosts_and_compresses(runs):
    run = runs["foster"]
    assert losses(run, 1)[0] == {"data × label"}
    assert losses(run, 2)[0] == {"data × balanced label", "data × own label", "data × teacher.soft"}
    assert losses(run, 2)[-1] == {"data × teacher.soft"}
    assert all(len(learnt(run, task).network.branches) == 1 for task in (1, 2, 3)), "one network remains"
    assert not same(learnt(run, 1).network.branches[0], learnt(run, 2).network.branches[0])


def test_the_old_network_does_not_change_while_it_is_boosted(runs, tmp_path):
    with interrupted_after(10):
        train(tmp_path / "run", "foster", per_class=4)
    newest = sorted((tmp_path / "run" / "checkpoints").iterdir())[-1]
    state = load_file(newest / "state.safetensors")
    before = learnt(runs["foster"], 1).state_dict()
    place = "learner.boosted_classifier."
    old = [name for name in before if name.startswith("network.branches.0.")]
    assert old and all(torch.equal(before[name], state[place + name]) for name in old)
    assert int(state[place + "network.backbones"]) == 2
    new = [name.replace("branches.0", "branches.1") for name in old]
    assert not all(torch.equal(before[a], state[place + b]) for a, b in zip(old, new, strict=True))


def test_earlier_backbones_do_not_change(runs):
    run = runs["der_expand"]
    first, second, third = (learnt(run, task).network.branches for task in (1, 2, 3))
    assert [len(branches) for branches in (first, second, third)] == [1, 2, 3]
    assert same(first[0], second[0]) and same(first[0], third[0]) and same(second[1], third[1])
    assert not same(second[0], second[1])
    assert losses(run, 1)[0] == {"data × label"}
    assert losses(run, 2)[0] == {"data × label", "data × own label"}
    assert losses(run, 2)[-1] == {"balanced × label"}


def test_a_backbone_that_does_not_learn_costs_a_forward(tmp_path):
    """Six steps of 16 pictures a task: 3 passes of the newest backbone, 1 of each older one."""
    run = train(tmp_path / "run", "der_expand", per_class=4, balanced_epochs=0)
    assert run.results["cost"]["student_passes"] == 6 * 16 * (3 + 4 + 5)


def test_what_is_wrong_is_known_before_anything_is_written(tmp_path):
    for match, strategy, options in (
        ("the β of class weights is 1", "foster", {"beta": 1.0}),
        ("the temperature of soft opinions is 0", "foster", {"temperature": 0.0}),
        ("the temperature of labels is 0", "der_expand", {"temperature": 0.0}),
        ("option balanced_epochs of strategy podnet is a number from 0", "podnet", {"balanced_epochs": -1}),
        ("option auxiliary of strategy der_expand is a number from 0", "der_expand", {"auxiliary": -1.0}),
    ):
        with pytest.raises(RequestError, match=match):
            train(tmp_path / "run", strategy, **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("strategy", SHORT)
def test_what_it_would_cost_is_estimated(strategy):
    found = palimpsest.estimate(tables(), strategy=strategy, **SHORT[strategy])
    assert found.steps > 0 and found.student_passes > 0 and found.teacher_passes > 0
