"""Strategies for any learner, with one that imagines and classifies: both of its heads learn."""

import json

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.core.term import Phase, Term
from palimpsest.learning.teacher import frozen
from palimpsest.runs.models import open_learners
from palimpsest.targets import Several, label, true_noise
from tests.learning.phases import of_class
from tests.learning.test_jdcl import a_joint_model
from tests.tiny import QUIET, tiny

DATA = {"data × true_noise", "data × label"}
LOSSES = {
    "finetune": DATA,
    "joint": DATA,
    "experience_replay": {*DATA, "memory × true_noise", "memory × label"},
    "lwf": {*DATA, "data × teacher.noise", "data × teacher.soft"},
}


def train(place, strategy, **joint):
    tables = tiny(learner="joint", joint={"head_width": 8} | joint)
    return palimpsest.train(tables, strategy=strategy, out=place, display=QUIET)


@pytest.mark.parametrize("strategy", LOSSES)
def test_both_heads_learn(strategy, tmp_path):
    run = train(tmp_path / "run", strategy)
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    assert {name for e in told if e["event"] == "step" and e["task"] == 2 for name in e["losses"]} == LOSSES[strategy]
    first, second = (open_learners(run.path / "models" / f"task_{k}")["joint"].state_dict() for k in (1, 2))
    for name in ("denoiser.network.conv_out.weight", "classify.0.weight"):
        assert not torch.equal(first[name], second[name]), name


def test_a_term_over_several_targets_is_a_term_of_each():
    """What each counts multiplies what the term does, and the order is kept."""
    both = Several(((true_noise, 1.0), (label, 0.01)))
    data = of_class(3)
    phase = Phase("joint", [Term(data, both, 0.5, every=2)])
    assert [(t.target, t.weight, t.every) for t in phase.terms] == [(true_noise, 0.5, 2), (label, 0.005, 2)]
    assert [t.name for t in phase.present] == ["data × true_noise", "data × label"]


def test_a_class_counts_as_the_experiment_says_and_1_of_a_network_apart():
    assert a_joint_model().class_weight == 0.001 and a_joint_model(body="cnn").class_weight == 1.0
    (_, noise), (_, soft) = frozen(a_joint_model()).answer.parts
    assert (noise, soft) == (1.0, 0.001)


def test_weights_that_mattered_to_two_losses_are_not_known(tmp_path):
    with pytest.raises(RequestError, match="the experiment's learner, joint, has two; set learner to denoiser or classifier"):
        train(tmp_path / "run", "ewc")
