"""Strategies whose generator is told of classes: dgr_diffusion, ddgr and guide."""

import json
import shutil

import pytest
import torch

import palimpsest
from palimpsest.core.batch import Ahead, Batch
from palimpsest.core.errors import RequestError
from palimpsest.diffusion.guidance import ByClassifier
from palimpsest.diffusion.samplers import Sampler
from palimpsest.models.classifier import build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.runs.models import open_learners
from palimpsest.sources import Dreams
from tests.tiny import QUIET, SHAPE, conditional_denoiser, interrupted_after, same, tiny

DISTIL = "conditional_generative_distillation"


def train(place, strategy: str, **options):
    tables = tiny(classifier={"training": {"steps": 4, "batch": 8}}, engine={"dream_batch": 16})
    guided = {"guided_steps": 2, "refresh": 3} if strategy == "guide" else {}
    return palimpsest.train(tables, strategy=strategy, teacher_steps=2, out=place, display=QUIET, **guided, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Uninterrupted runs, by strategy."""
    return {name: train(tmp_path_factory.mktemp(name) / "whole", name) for name in ("dgr_diffusion", "ddgr", "guide")}


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [("dgr_diffusion", 3), ("dgr_diffusion", 14), ("ddgr", 6), ("ddgr", 9), ("guide", 14), ("guide", 15)],
)
def test_resumed_in_any_phase_it_ends_the_same(strategy, steps, whole, tmp_path):
    whole = whole[strategy]
    with interrupted_after(steps):
        train(tmp_path / "run", strategy)
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    ours, theirs = (open_learners(each.path / "models" / "task_2") for each in (run, whole))
    assert ours.keys() == {"denoiser", "classifier"} and ours["denoiser"].conditional
    assert all(same(ours[name], theirs[name]) for name in ours)
    assert run.results["cost"]["teacher_passes"] == whole.results["cost"]["teacher_passes"]


def test_what_guide_replays_is_looked_at_when_its_classifier_has_learnt(whole, tmp_path):
    """The generator's dreams before its phase, the classifier's after its own; neither look changes a weight."""
    run = train(tmp_path / "run", "guide", set={"evaluation.replay": 20, "evaluation.samples": 20, "evaluation.evaluator.steps": 10})
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    order = [(e["event"], e.get("learner"), e["phase"]) for e in told if e["task"] == 2 and e["event"] in ("replay", "step")]
    assert order[0] == ("replay", "conditional_denoiser", 0) and order[-1] == ("replay", "classifier", 1)
    assert {event for event, _, _ in order[1:-1]} == {"step"}
    ours, theirs = (open_learners(each.path / "models" / "task_2") for each in (run, whole["guide"]))
    assert all(same(ours[name], theirs[name]) for name in ours)
    assert run.results["cost"]["teacher_passes"] == whole["guide"].results["cost"]["teacher_passes"]


@pytest.mark.parametrize(("what", "count"), [("after_dreams", 2), ("after_dreams", 4), ("after_step", 11), ("after_step", 12), ("after_step", 15)])
def test_a_set_that_is_dreamt_before_is_part_of_checkpoints(what, count, tmp_path):
    """Cut off while either learner's set is dreamt, in each learner's phase and between them."""
    options = {"per_class": 10, "seed": 3}
    whole = train(tmp_path / "whole", "dgr_diffusion", **options)
    with interrupted_after(count, what):
        train(tmp_path / "run", "dgr_diffusion", **options)
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    ours, theirs = (open_learners(each.path / "models" / "task_2") for each in (run, whole))
    assert all(same(ours[name], theirs[name]) for name in ours)
    (generator, classifier) = run.results["tasks"][1]["replay"]
    assert generator["accepted"] == classifier["accepted"] and set(generator["accepted"].values()) == {10}
    assert generator["drawn"] == 20 and run.results["cost"]["teacher_passes"] == whole.results["cost"]["teacher_passes"] == 80


def test_what_a_set_would_cost_is_estimated(tmp_path):
    """Twice 20 dreams of two steps."""
    found = palimpsest.estimate(tiny(classifier={"training": {"steps": 4, "batch": 8}}), strategy="dgr_diffusion", teacher_steps=2, per_class=10)
    assert found.teacher_passes == 2 * 20 * 2


def test_dreams_are_of_the_past_classes_and_carry_them():
    source = Dreams(conditional_denoiser(), Sampler("ddim", 2), classes=(1, 3))
    batch = Batch(64, 0, (0, 2, "train 0", 0), steps=4, ahead=Ahead(128))
    drawn = source.draw(batch)
    assert sorted(drawn.y.unique().tolist()) == [1, 3] and 16 < int((drawn.y == 1).sum()) < 48
    expected = source.sampler(source.denoiser, batch.random("dreams").normal(64, *SHAPE), y=drawn.y)
    torch.testing.assert_close(drawn.x, expected, atol=1e-5, rtol=0)


def test_guided_dreams_are_bent_by_the_previous_classifier():
    classifier = build_classifier(ClassifierOptions(), SHAPE, list("abcd"), 0).eval().requires_grad_(False)
    batch = Batch(8, 0, (0, 2, "train 0", 0), steps=1)
    plain, bent = (
        Dreams(conditional_denoiser(), Sampler("ddim", 3), classes=(0, 1), guide=guide).draw(batch)
        for guide in (None, ByClassifier(classifier, 5.0))
    )
    assert torch.equal(plain.y, bent.y) and not torch.equal(plain.x, bent.x)

    def p(drawn) -> torch.Tensor:
        return classifier.logits(drawn.x).log_softmax(-1).gather(1, drawn.y[:, None]).mean()

    assert p(bent) > p(plain)


def test_samples_are_of_the_classes_that_were_asked_for(whole):
    run = whole["dgr_diffusion"]
    assert palimpsest.sample(run.path, count=7, steps=2).shape == (7, *SHAPE)


def test_a_model_that_is_told_of_classes_needs_a_strategy_that_tells_it(whole, tmp_path):
    run = whole["dgr_diffusion"]
    with pytest.raises(RequestError, match="is a conditional_denoiser.*such as conditional_generative_distillation"):
        palimpsest.train(tiny(model=str(run.path / "models" / "task_2")), out=tmp_path / "again", display=QUIET)


def test_samples_are_of_the_classes_that_were_learnt(whole):
    models = [open_learners(whole["dgr_diffusion"].path / "models" / f"task_{k}")["denoiser"] for k in (1, 2)]
    assert [model.told_of for model in models] == [(0, 1), (0, 1, 2, 3)]


def test_a_record_of_classes_that_the_network_has_not_is_refused(whole, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(whole["dgr_diffusion"].path / "models" / "task_2", model)
    (model / "classes.json").write_text('{"learnt": {"99": "x"}, "null": null}')
    with pytest.raises(RequestError, match="classes.json names class 99, and the network has 10 embeddings"):
        open_learners(model)
    for record in (
        '{"learnt": {}, "null": null}',
        '{"learnt": {"1": "a", "2": "a"}, "null": null}',
        '{"learnt": {"1": "a"}, "null": "9"}',
    ):
        (model / "classes.json").write_text(record)
        with pytest.raises(RequestError, match="classes.json is damaged"):
            open_learners(model)
    (model / "classes.json").write_text("[]")
    with pytest.raises(RequestError, match="classes.json cannot be read"):
        open_learners(model)


def distil(place, guidance: float, untold: float):
    tables = tiny(diffusion={"steps": 100, "untold": untold})
    return palimpsest.train(tables, strategy=DISTIL, teacher_steps=2, guidance=guidance, out=place, display=QUIET)


@pytest.fixture(scope="module")
def guided(tmp_path_factory):
    return distil(tmp_path_factory.mktemp("guided") / "run", 2.0, 0.2)


def test_guidance_without_a_classifier_costs_two_passes_a_step(guided, tmp_path):
    """Of 4 steps of 8 dreams, by 2 sampling steps: 64 passes, or 128, and 32 when the teacher is asked about them."""
    plain = distil(tmp_path / "plain", 1.0, 0.2)
    assert [run.results["cost"]["teacher_passes"] for run in (plain, guided)] == [64 + 32, 128 + 32]


def test_what_stands_for_no_class_is_saved_and_is_no_class(guided):
    denoiser = open_learners(guided.path / "models" / "task_2")["denoiser"]
    assert denoiser.null == 10 == denoiser.network.config.num_class_embeds - 1
    assert denoiser.told_of == (0, 1, 2, 3)
    with interrupted_after(6):
        distil(guided.path.parent / "again", 2.0, 0.2)
    run = palimpsest.resume(guided.path.parent / "again", display=QUIET)
    assert same(open_learners(run.path / "models" / "task_2")["denoiser"], denoiser)


def test_classes_are_left_untold_where_there_are_any(tmp_path):
    with pytest.raises(RequestError, match="diffusion.untold is 0.2, and the denoiser is not told of classes"):
        palimpsest.train(tiny(diffusion={"steps": 100, "untold": 0.2}), out=tmp_path / "run", display=QUIET)


def test_guidance_needs_a_denoiser_that_goes_without(tmp_path):
    with pytest.raises(RequestError, match="guidance of 2 needs a denoiser that learns to go without a class"):
        distil(tmp_path / "run", 2.0, 0.0)
    assert not (tmp_path / "run").exists()


def test_wrong_guidance_is_refused(tmp_path):
    with pytest.raises(RequestError, match="option guidance of strategy ddgr is a number from 0, and was given -1"):
        train(tmp_path / "run", "ddgr", guidance=-1.0)
