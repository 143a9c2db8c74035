"""Synthetic pictures in runs: what is learnt from them, by whom, and what is refused."""

import json

import pytest
import torch
from PIL import Image

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.core.term import Phase, Term
from palimpsest.learning.continual import open_task, turn_page
from palimpsest.learning.mixing import Mixing, first_of_each, mislabelled
from palimpsest.learning.options import SyntheticOptions
from palimpsest.learning.past import Past
from palimpsest.learning.remembering import greet
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from palimpsest.runs.events import read_events
from palimpsest.runs.models import open_learners
from palimpsest.sources import Data, Mixed
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import OnReal, label
from tests.learning.test_incremental import tables
from tests.tiny import QUIET, interrupted_after, same, tiny


def train(place, strategy="lucir", synthetic=None, stream=None, **options):
    base = tables()
    base["stream"] |= {"held_back": 0.3} | (stream or {})
    base["synthetic"] = synthetic or {}
    memory = (
        {} if strategy in ("finetune", "lwf", "generative_distillation") else {"per_class": 4, "selection": "random"}
    )
    options = memory | options
    return palimpsest.train(base, strategy=strategy, out=place, display=QUIET, **options)


@pytest.mark.parametrize(
    "strategy", ["finetune", "lwf", "experience_replay", "icarl", "lucir", "podnet", "foster", "der_expand"]
)
def test_every_classifier_strategy_learns_from_them_after_the_first_task(strategy, tmp_path):
    plain = train(tmp_path / "plain", strategy)
    ideal = train(tmp_path / "ideal", strategy, {"source": "ideal", "per_class": 5})
    for name, learner in open_learners(plain.path / "models" / "task_1").items():
        assert same(learner, open_learners(ideal.path / "models" / "task_1")[name]), "there is no past yet"
    assert plain.results["accuracy_matrix"][0] == ideal.results["accuracy_matrix"][0]
    after = [open_learners(run.path / "models" / "task_2") for run in (plain, ideal)]
    assert not any(same(after[0][name], after[1][name]) for name in after[0])
    assert [task["seen"]["synthetic"] > 0 for task in ideal.results["tasks"]] == [False, True, True]


@pytest.mark.parametrize("losses", ["both", "classification", "distillation"])
@pytest.mark.parametrize("source", ["ideal", "memory"])
def test_an_interrupted_run_ends_as_one_that_was_not(source, losses, tmp_path):
    synthetic = {"source": source, "losses": losses, "in_margin": losses == "both"}
    whole = train(tmp_path / "whole", synthetic=synthetic)
    with interrupted_after(9):
        train(tmp_path / "run", synthetic=synthetic)
    resumed = palimpsest.resume(tmp_path / "run", display=QUIET)
    both = [open_learners(run.path / "models" / "task_3")["classifier"] for run in (whole, resumed)]
    assert same(*both)


def second_phase(strategy="lucir", synthetic=None, **options):
    """The first phase of the second task, as a run would train it."""
    base = tables()
    base["stream"] |= {"held_back": 0.3}
    base["synthetic"] = {"source": "ideal"} | (synthetic or {})
    assembly = assemble(resolve(base, strategy, {"per_class": 4, "selection": "random"} | options))
    plan, progress = assembly.plan, assembly.progress
    first = open_task(plan, progress, assembly.stream.tasks[0])
    greet(progress.learners, first.classes)
    turn_page(plan, first, progress, progress.past.remembering(first))
    made = plan.courses[-1].phases(open_task(plan, progress, assembly.stream.tasks[1]), progress.past)
    return made if isinstance(made, Phase) else next(made)


@pytest.mark.parametrize(
    ("losses", "in_margin", "real_only"),
    [
        ("both", True, set()),
        ("both", False, {"margin"}),
        ("classification", True, {"teacher.features"}),
        ("classification", False, {"teacher.features", "margin"}),
        ("distillation", True, {"label"}),
        ("distillation", False, {"label", "margin"}),
    ],
)
def test_in_which_losses_they_count_is_a_choice(losses, in_margin, real_only):
    """Of LUCIR's three; all of them see them, and those that are left out count on real ones only."""
    terms = second_phase(synthetic={"losses": losses, "in_margin": in_margin}).present
    assert {term.target.name for term in terms} == {"label", "teacher.features", "margin"}
    assert {term.target.name for term in terms if isinstance(term.target, OnReal)} == real_only
    assert all(isinstance(term.source, Mixed) for term in terms)


def test_a_phase_in_whose_losses_none_would_count_sees_none(tmp_path):
    """FOSTER's compression distils alone."""
    found = {}
    for losses in ("both", "classification"):
        run = train(tmp_path / losses, "foster", {"source": "ideal", "losses": losses})
        found[losses] = [task["seen"]["synthetic"] for task in run.results["tasks"]]
    assert found == {"both": [0, 96, 96], "classification": [0, 48, 48]}


def test_what_is_set_for_pictures_that_there_are_not_is_a_warning(tmp_path):
    run = train(tmp_path / "run", synthetic={"losses": "distillation"})
    warnings = [event["text"] for event in read_events(run.path / "events.jsonl") if event["event"] == "warning"]
    assert "synthetic.losses is set, and changes nothing where synthetic.source is none" in warnings


def test_a_target_of_one_s_own_says_of_which_kind_it_is():
    class Own:
        name, head, needs, exists = "own", "logits", frozenset(), True

    class Distilling(Own):
        kind = "distillation"

    pictures = Pictures(torch.zeros(4, 1, 1, 1, dtype=torch.uint8), torch.tensor([0, 0, 1, 1]))

    def counted(target, losses):
        phase = Phase("classifier", [Term(Data(pictures), target)])
        mixing = Mixing(SyntheticOptions(source="ideal", losses=losses), pictures)
        (term,) = mixing.into(phase, Past(classes=(0, 1))).terms
        return isinstance(term.source, Mixed) and term.target is target

    assert counted(Own(), "both") and counted(Distilling(), "distillation")
    with pytest.raises(
        RequestError, match='the loss "own" is one of classification and distillation at once, or does not'
    ):
        counted(Own(), "distillation")
    with pytest.raises(RequestError, match='the loss "own"'):
        counted(Own(), "classification")
    assert not counted(Distilling(), "classification")


def test_they_may_stand_in_for_the_memory(tmp_path):
    """Of past classes there is nothing but what is imagined, and it is drawn with the others."""
    how = {"batch": "pooled", "per_class": 5}
    labels = second_phase(synthetic=how, per_class=0).terms[0].source.pictures.labels
    assert labels.bincount()[:3].tolist() == [5, 5, 5] and labels.bincount()[3] > 5
    run = train(tmp_path / "run", synthetic={"source": "ideal"} | how, per_class=0, selection="herding")
    first, *others = [task["seen"] for task in run.results["tasks"]]
    assert run.results["finished"] and first["synthetic"] == 0 and all(0 < seen["synthetic"] < seen["real"] for seen in others)
    alone = train(tmp_path / "alone", per_class=0, selection="herding")
    one, other = (open_learners(each.path / "models" / "task_2")["classifier"] for each in (run, alone))
    assert not same(one, other)


@pytest.mark.parametrize("batch", ["added", "pooled"])
def test_they_may_come_on_top_or_as_remembered_pictures_do(batch, tmp_path):
    run = train(tmp_path / "run", synthetic={"source": "ideal", "batch": batch, "per_class": 5})
    seen = run.results["tasks"][1]["seen"]
    assert (seen["real"], seen["synthetic"]) == ((96, 96) if batch == "added" else (71, 25)), "15 of 58 pooled"
    assert run.results["tasks"][1]["measures"] != train(tmp_path / "plain").results["tasks"][1]["measures"]


def test_none_are_asked_for_where_nothing_will_be_past(tmp_path):
    """Nor is the folder looked at."""
    synthetic = {"source": "recorded", "path": str(tmp_path)}
    assert train(tmp_path / "run", synthetic=synthetic, stream={"tasks": [[0, 1]]}).results["finished"]


def test_a_class_that_is_present_again_is_not_imagined(tmp_path):
    run = train(tmp_path / "run", synthetic={"source": "ideal"}, stream={"tasks": 1})
    assert run.results["tasks"][0]["seen"]["synthetic"] == 0
    pictures = Pictures(torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1), torch.tensor([0, 0, 1, 1]))
    mixing = Mixing(SyntheticOptions(source="ideal"), pictures)
    phase = Phase("classifier", [Term(Data(pictures), label)])
    past = Past(classes=(0, 1))
    (term,) = mixing.into(phase, past, (1, 2)).terms
    assert set(term.source.synthetic.pictures.labels.tolist()) == {0}
    assert mixing.into(phase, past, (0, 1)) is phase


def test_one_past_class_has_no_other_whose_label_its_pictures_could_have():
    pictures = Pictures(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), torch.tensor([3, 3]))
    assert not len(Mixing(SyntheticOptions(source="useless"), pictures).of_past(Past(classes=(3,))))


def test_useless_pictures_have_the_label_of_the_class_that_came_next():
    some = Pictures(torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1), torch.tensor([7, 2, 5, 7]))
    assert mislabelled(some, (7, 2, 5)).labels.tolist() == [2, 5, 7, 2]


def test_so_many_of_each_class_and_more_begin_with_the_same_ones():
    labels = torch.tensor([0, 1, 0, 1, 0, 0, 2])
    few, more = (set(first_of_each(labels, (0, 1), count).tolist()) for count in (1, 3))
    assert few < more and len(few) == 2 and len(more) == 5 and 6 not in more


def test_how_many_were_seen_is_written_down(tmp_path):
    """Six steps of 16 pictures: half of them are synthetic from the second task on."""
    run = train(tmp_path / "run", synthetic={"source": "ideal"})
    seen = [task["seen"] for task in run.results["tasks"]]
    assert seen[0] == {"steps": 6, "real": 96, "synthetic": 0}
    assert seen[1] == seen[2] == {"steps": 6, "real": 48, "synthetic": 48}


def test_resuming_with_other_pictures_is_refused(tmp_path):
    """Though everything that is written down is as it was, the folder's name among it."""
    for number in range(4):
        (tmp_path / "set" / str(number)).mkdir(parents=True)
        for place in range(3):
            Image.new("L", (8, 8), 20 * number + place).save(tmp_path / "set" / str(number) / f"{place}.png")
    with interrupted_after(9):
        train(tmp_path / "run", synthetic={"source": "recorded", "path": str(tmp_path / "set"), "per_class": 3})
    Image.new("L", (8, 8), 255).save(tmp_path / "set" / "2" / "1.png")
    with pytest.raises(RequestError, match="the synthetic pictures are not those that .* was begun with"):
        palimpsest.resume(tmp_path / "run", display=QUIET)
    Image.new("L", (8, 8), 41).save(tmp_path / "set" / "2" / "1.png")
    assert palimpsest.resume(tmp_path / "run", display=QUIET).results["finished"]


@pytest.mark.parametrize(
    ("match", "strategy", "more"),
    [
        ("are for classifiers, and strategy generative_distillation", "generative_distillation", {}),
        ("none were held back", "lucir", {"stream": {"held_back": 0.0}}),
        ("asks for 400 real pictures of each class, and [0-9]+ of", "lucir", {"synthetic": {"per_class": 400}}),
        ("the strategy distils nothing", "finetune", {"synthetic": {"losses": "distillation"}}),
        ("keeps none; choose one that does", "finetune", {"synthetic": {"source": "memory"}}),
        ("needs path, and you gave none", "lucir", {"synthetic": {"source": "recorded"}}),
        (
            'batch = "pooled" makes no difference between real and synthetic pictures, and reads no share',
            "lucir",
            {"synthetic": {"source": "ideal", "batch": "pooled", "share": 0.3}},
        ),
        (
            "reads no augmentation; leave it out",
            "lucir",
            {"synthetic": {"source": "ideal", "batch": "pooled", "augmentation": ["flip"]}},
        ),
        (
            'batch = "added" lets an epoch be one of real pictures, and reads no epoch_by',
            "lucir",
            {"synthetic": {"source": "ideal", "batch": "added", "epoch_by": "steps"}},
        ),
        (
            "as many pictures as the strategy remembers: leave per_class out",
            "lucir",
            {"synthetic": {"source": "memory", "per_class": 3}},
        ),
        ("2.7 is neither a share below 1 nor a whole number", "lucir", {"stream": {"held_back": 2.7}}),
        ("takes no path, and you gave", "lucir", {"synthetic": {"source": "ideal", "path": "x"}}),
        (
            "one of classification and distillation at once",
            "icarl",
            {"loss": "sigmoid", "synthetic": {"losses": "distillation"}},
        ),
        ("share: input should be less than 1", "lucir", {"synthetic": {"share": 1.0}}),
    ],
)
def test_what_is_wrong_is_known_before_anything_is_written(match, strategy, more, tmp_path):
    synthetic = {"source": "ideal"} | more.pop("synthetic", {})
    with pytest.raises(RequestError, match=match):
        train(tmp_path / "run", strategy, synthetic, **more)
    assert not (tmp_path / "run").exists()


def test_how_far_they_are_from_real_ones_is_measured_after_the_last_task(tmp_path):
    """Wrong labels change no distance of all together, and all of a class's. Nothing is sampled."""
    base = tables(evaluation={"gap": 1000, "evaluator": {"steps": 200}})
    base["stream"] |= {"held_back": 0.5, "limit": 0}
    found = {}
    for source in ("ideal", "useless"):
        base["synthetic"] = {"source": source, "per_class": 60}
        run = palimpsest.train(base, strategy="lucir", out=tmp_path / source, display=QUIET)
        assert all("synthetic" not in task for task in run.results["tasks"][:-1])
        found[source] = run.results["tasks"][-1]["synthetic"]
    assert run.results["counts"]["samples"] == 0
    ideal, useless = found["ideal"], found["useless"]
    assert ideal["count"] == useless["count"] == 240 and ideal["fid"] == pytest.approx(useless["fid"], rel=0.05)
    assert ideal["pure"] > 0.9 and useless["pure"] < 0.1
    assert [part["class"] for part in ideal["per_class"]] == [0, 1, 2, 3]
    for one, other in zip(ideal["per_class"], useless["per_class"], strict=True):
        assert one["kid"] < other["kid"]


def test_a_model_that_was_trained_elsewhere_draws_them(tmp_path, monkeypatch):
    """A class-conditional generator of the pictures that are held back: drawn once, by name, and not again."""
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    apart = {"stream": {"name": "digits", "tasks": 1, "held_back": 0.3, "use": "held_back"}}
    foreign = palimpsest.train(
        tiny(**apart), strategy="conditional_generative_distillation", out=tmp_path / "foreign", display=QUIET
    )
    synthetic = {"source": "generator", "path": str(foreign.path), "per_class": 3}
    first = train(tmp_path / "first", synthetic=synthetic)
    (manifest,) = (tmp_path / "cache" / "synthetic").glob("*/manifest.json")
    told = json.loads(manifest.read_text())
    assert [entry["name"] for entry in told["classes"]] == ["0", "1", "2", "3"] and told["count"] == 3
    written = manifest.stat().st_mtime_ns
    again = train(tmp_path / "again", synthetic=synthetic)
    assert manifest.stat().st_mtime_ns == written
    assert same(*(open_learners(run.path / "models" / "task_3")["classifier"] for run in (first, again)))
    folder = {"source": "recorded", "path": str(manifest.parent), "per_class": 3}
    assert train(tmp_path / "folder", synthetic=folder).results["accuracy_matrix"] == first.results["accuracy_matrix"]
    with pytest.raises(RequestError, match="has 3 pictures of the class"):
        train(tmp_path / "more", synthetic=folder | {"per_class": 4})


def test_results_are_json(tmp_path):
    run = train(tmp_path / "run", synthetic={"source": "useless"})
    assert json.loads((run.path / "results.json").read_text())["finished"]
