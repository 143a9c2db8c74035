"""JDCL as a run: what it begins with, what it dreams, and resuming in each of its phases."""

import json

import pytest
from PIL import Image

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.models.joint import Joint
from palimpsest.runs.checkpoint import Checkpoints, read
from palimpsest.runs.models import open_learners
from palimpsest.targets import label, true_noise
from tests.tiny import QUIET, interrupted_after, same, tiny

HEAD = {"joint": {"head_width": 8}, "engine": {"dream_batch": 8}}
QUICK = {"strategy": "jdcl", "alpha": 0.1, "per_class": 6, "teacher_steps": 2, "masked": True}


def train(place, **options):
    sections = {"training": {"steps": 6, "average": 0.9}} | options.pop("sections", {})
    options = {name: value for name, value in (QUICK | options).items() if value is not None}
    return palimpsest.train(tiny(**HEAD | sections), out=place, display=QUIET, **options)


def learnt(run, task: int = 2) -> Joint:
    return open_learners(run.path / "models" / f"task_{task}")["joint"]


@palimpsest.strategy(learners=("joint",))
def local_alone(now, past, *, alpha: float = 0.1):
    """The local phase of JDCL."""
    yield palimpsest.Phase(
        "joint", [palimpsest.Term(now.data, true_noise), palimpsest.Term(now.data, label, alpha)], name="local"
    )


def test_the_first_task_is_the_local_phase_alone(tmp_path):
    tables = tiny(**HEAD, training={"steps": 6, "average": 0.9})
    run, alone = (
        train(tmp_path / "run"),
        palimpsest.train(tables, strategy=local_alone, out=tmp_path / "alone", display=QUIET),
    )
    assert same(learnt(run, 1), learnt(alone, 1))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("jdcl") / "whole")


@pytest.mark.parametrize(
    ("times", "what"),
    [(9, "after_step"), (13, "after_step"), (17, "after_step"), (1, "after_dreams"), (2, "after_dreams")],
)
def test_resumed_in_any_phase_or_while_it_dreams_it_ends_the_same(times, what, whole, tmp_path):
    """6 steps of the first task; of the second 6 local ones, dreams, 2 steps of noise alone, 4 of both."""
    with interrupted_after(times, what):
        train(tmp_path / "run")
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    assert same(learnt(run), learnt(whole))
    assert run.results["cost"]["teacher_passes"] == whole.results["cost"]["teacher_passes"]


KEPT = {"sections": {"training": {"steps": 6, "average": 0.9, "keep_average": True}}}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The global student goes on with the past global model's average."""
    return train(tmp_path_factory.mktemp("kept") / "whole", **KEPT)


def test_the_average_of_the_past_global_model_goes_on(kept, whole):
    assert same(learnt(kept, 1), learnt(whole, 1)) and not same(learnt(kept), learnt(whole))
    _, tensors = read(Checkpoints(kept.path / "checkpoints").latest(print))
    counts = {name: int(count) for name, count in tensors.items() if name.startswith("updates.")}
    assert counts == {"updates.averaged.joint.count": 12, "updates.teacher.joint averaged.count": 12}, "6 global, 6 before"


@pytest.mark.parametrize("times", [9, 13])
def test_a_count_of_updates_survives_an_interruption(times, kept, tmp_path):
    with interrupted_after(times):
        train(tmp_path / "run", **KEPT)
    assert same(learnt(palimpsest.resume(tmp_path / "run", display=QUIET)), learnt(kept))


@pytest.fixture(scope="module")
def renewed(tmp_path_factory):
    """Dreamt anew every 3 of 6 global steps, so once more in the second of its two phases."""
    return train(tmp_path_factory.mktemp("renewed") / "whole", refresh=3)


def test_dreams_are_renewed_on_the_way(renewed, whole):
    told = [json.loads(line) for line in (renewed.path / "events.jsonl").read_text().splitlines()]
    assert [each["source"].split()[2] for each in told if each["event"] == "dreamt"] == ["old", "new", "old", "new"]
    assert not same(learnt(renewed), learnt(whole))


@pytest.mark.parametrize(
    ("times", "what"), [(14, "after_step"), (16, "after_step"), (3, "after_dreams"), (5, "after_dreams")]
)
def test_dreams_that_are_renewed_are_the_same_after_an_interruption(times, what, renewed, tmp_path):
    with interrupted_after(times, what):
        train(tmp_path / "run", refresh=3)
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    assert same(learnt(run), learnt(renewed))
    assert run.results["cost"]["teacher_passes"] == renewed.results["cost"]["teacher_passes"]


def test_what_was_dreamt_is_written_down(tmp_path):
    run = train(tmp_path / "run", sections={"evaluation": {"samples": 20, "replay": 20, "evaluator": {"steps": 10}}})
    seen = {each["source"]: each for each in run.results["tasks"][1]["replay"]}
    assert seen.keys() == {"dreams of old classes", "dreams of new classes"}
    for each in seen.values():
        assert each["drawn"] >= sum(each["accepted"].values()) and 0 <= each["wasted"] < 1 and "purity" in each
    assert run.results["tasks"][0]["measures"]["accuracy"] >= 0


def test_without_a_single_dream_of_the_wanted_classes_it_goes_on_with_the_others(tmp_path):
    """Hardly trained, the models see one class in everything that they dream."""
    run = train(tmp_path / "run", masked=False)
    events = (run.path / "events.jsonl").read_text()
    assert "which dreams of" in events and "will not replay" in events
    assert run.results["finished"]


def test_what_was_dreamt_is_kept_where_nobody_looks_at_it(whole):
    """No evaluator, and so no purity."""
    entries = {each["source"]: each for each in whole.results["tasks"][1]["replay"]}
    assert entries.keys() == {"dreams of old classes", "dreams of new classes"}
    assert all(each["drawn"] > 0 and "purity" not in each for each in entries.values())
    assert "replay" not in whole.results["tasks"][0]


def test_from_new_weights_or_from_the_past(tmp_path):
    runs = [train(tmp_path / init, local_init=init) for init in ("global", "scratch")]
    assert same(learnt(runs[0], 1), learnt(runs[1], 1)) and not same(learnt(runs[0]), learnt(runs[1]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"distil": "all"}, 'unknown distil of jdcl "all"'),
        ({"local_init": "zero"}, 'unknown local_init of jdcl "zero"'),
        ({"shares": "half"}, 'unknown shares of jdcl "half"'),
        ({"teaching": "best"}, 'unknown weights "best"'),
        ({"warm_up": 1.5}, "warm_up is 1.5, and it is a share of the global phase"),
        ({"per_class": 0}, "0 pictures a class"),
        ({"refresh": -1}, "option refresh of strategy jdcl is a number from 0"),
        ({"threshold": 3.0}, "threshold is 3"),  # also where all pictures have a label
        ({"ratio": 0.0}, "ratio is 0"),
        ({"teacher_steps": 500}, "500"),
        ({"most": float("inf")}, 'most of strategy jdcl is of kind float, and was given "inf"'),
        ({"per_class": 10**12}, "take .* MB, and the cpu has .* MB; lower per_class"),
        ({"sections": {"augmentation": {"noise": ["padded_crop 9"]}}}, "padded_crop 9 was asked of pictures of 8×8"),
        ({"sections": {"augmentation": {"strong": ["cutout 16"]}}}, "cutout 16 was asked of pictures of 8×8"),
        ({"sections": {"training": {"average": 0.9, "teacher_weights": "average"}}}, "says itself which weights dream"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(options, sentence, tmp_path):
    with pytest.raises(RequestError, match=sentence):
        train(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_folder_without_classes_is_nothing_to_learn_classes_from(tmp_path):
    pictures = tmp_path / "loose"
    pictures.mkdir()
    for number in range(4):
        Image.new("L", (8, 8), 60 * number).save(pictures / f"{number}.png")
    stream = {"name": "loose", "path": str(pictures), "tasks": 1, "size": 8, "channels": 1}
    with pytest.raises(RequestError, match="jdcl learns classes, and all pictures of .* are of one; give labels"):
        train(tmp_path / "run", sections={"stream": stream})
    assert not (tmp_path / "run").exists()
    assert train(tmp_path / "run", sections={"stream": stream}, **dict.fromkeys(QUICK) | {"strategy": "finetune"})


def test_a_part_of_a_batch_in_a_task_in_the_middle_may_not_be_empty(tmp_path):
    """Of two rows one old class beside five new ones has none, and two old ones beside one new have."""
    stream = {"name": "digits", "tasks": [[0], [1, 2, 3, 4, 5], [6, 7, 8, 9]]}
    with pytest.raises(RequestError, match="of a batch of 2, its share of 0.167 is no row at all"):
        train(tmp_path / "run", sections={"stream": stream, "training": {"steps": 2, "batch": 2, "average": 0.9}})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options", [{"two_stage": False}, {"two_stage": False, "soft_labels": True}, {"distil": "none"}]
)
def test_each_ablation_runs(options, tmp_path):
    assert train(tmp_path / "run", **options).results["finished"]


def test_separate_networks_run(tmp_path):
    run = train(tmp_path / "run", sections={"joint": {"body": "cnn"}})
    assert learnt(run).options.body == "cnn"
