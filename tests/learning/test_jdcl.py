"""JDCL as a run: its laws, its weights, and resuming in each of its phases."""

import json

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.learning.now import Now
from palimpsest.learning.past import Past
from palimpsest.learning.teacher import Teacher, frozen
from palimpsest.models.joint import Joint, build_joint
from palimpsest.models.options import JointOptions
from palimpsest.runs.models import open_learners
from palimpsest.sources import Data
from palimpsest.strategies.catalog import load
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import label, true_noise
from tests.tiny import QUIET, interrupted_after, same, tiny, tiny_denoiser

HEAD = {"joint": {"head_width": 8}, "engine": {"dream_batch": 8}}
QUICK = {"strategy": "jdcl", "alpha": 0.1, "per_class": 6, "teacher_steps": 2, "masked": True}


def train(place, **options):
    training = {"steps": 6, "average": 0.9}
    tables = tiny(**HEAD | options.pop("sections", {}), training=training)
    return palimpsest.train(tables, out=place, display=QUIET, **QUICK | options)


def learnt(run, task: int = 2) -> Joint:
    return open_learners(run.path / "models" / f"task_{task}")["joint"]


def a_joint_model(seed: int = 0, **options) -> Joint:
    return build_joint(tiny_denoiser(seed), JointOptions(head_width=8, **options), list("abcd"), seed)


def phases(past_teacher: Teacher, **options) -> list:
    """The phases of a second task, of one new class after three old ones."""
    data = Data(Pictures(torch.zeros(8, 1, 8, 8, dtype=torch.uint8), torch.full((8,), 3)))
    learners = {"joint": a_joint_model()}
    now = Now(2, (3,), data, "joint", learners, lambda name: a_joint_model(9))
    keeps = frozenset({"teacher", "average"})
    past = Past(keeps, "joint", ("joint",), teachers={"joint": past_teacher}, classes=(0, 1, 2), count=1)
    made = load("jdcl")(now, past, teacher_steps=2, **options)
    found, left = [], None
    while True:
        try:
            found.append(made.send(left))
        except StopIteration:
            return found
        left = frozen(a_joint_model(5))


def weights_of(phase) -> dict[str, float]:
    return {term.name: term.weight for term in phase.present}


def test_the_weights_of_the_published_code():
    """2 (n_o/n), 2 (n_n/n) for the noise; α times that for the class; β and αβ for truth (reference, section 1.6)."""
    local, noise, whole = phases(frozen(a_joint_model(1)))
    assert weights_of(local) == {"data × true_noise": 1, "data × label": 0.001}
    old, new = "dreams of old classes", "dreams of new classes"
    expected = {
        f"{old} × teacher.noise": 1.5,
        f"{old} × true_noise": 0.0075,
        f"{new} × teacher.noise": 0.5,
        f"{new} × true_noise": 0.0025,
    }
    assert weights_of(noise) == pytest.approx(expected), "the classes do not count during the warm-up"
    classes = {
        f"{old} × teacher.soft": 0.0015,
        f"{old} × label": 0.0000075,
        f"{new} × teacher.soft": 0.0005,
        f"{new} × label": 0.0000025,
    }
    assert weights_of(whole) == pytest.approx(expected | classes)
    assert noise.span == (0, 0.3333) and whole.span == (0.3333, 1)


def test_the_weights_of_the_paper():
    _, phase = phases(frozen(a_joint_model(1)), shares="equal", warm_up=0.0)
    found = weights_of(phase)
    assert found["dreams of old classes × teacher.noise"] == found["dreams of new classes × teacher.noise"] == 1
    assert found["dreams of old classes × teacher.soft"] == 0.001


@pytest.mark.parametrize(
    ("distil", "heads"), [("noise", {"noise"}), ("classes", {"soft"}), ("none", set()), ("both", {"noise", "soft"})]
)
def test_what_is_distilled_can_be_chosen(distil, heads):
    _, phase = phases(frozen(a_joint_model(1)), distil=distil, warm_up=0.0)
    assert {name.rpartition("teacher.")[2] for name in weights_of(phase) if "teacher." in name} == heads


def test_who_teaches_dreams_and_labels():
    past = Teacher(a_joint_model(1), averaged=a_joint_model(2))
    _, _, phase = phases(past, dreaming="average", labelling="raw", teaching="average")
    old = next(term for term in phase.present if term.name == "dreams of old classes × teacher.noise")
    pool = old.source.source
    assert (pool.dreamer, pool.labeller, old.target.teacher) == (past.averaged, past.learner, past.averaged)
    assert phase.start is None and phases(past)[1].start.learner is past.learner


def test_masked_teachers_know_their_own_classes_alone():
    teacher = frozen(a_joint_model(1))
    _, _, phase = phases(teacher, masked=True)
    soft = next(term.target for term in phase.present if term.name == "dreams of old classes × teacher.soft")
    p = soft.answer(Images(torch.randn(4, 1, 8, 8))).exp()
    assert p[:, 3].max() < 1e-40 and torch.allclose(p.sum(-1), torch.ones(4))


def test_distillation_is_nothing_where_the_student_is_the_teacher():
    """With dropout in the head: the student is asked in evaluation mode here, the teacher always is."""
    student = a_joint_model(1, head_dropout=0.5).train()
    teacher = frozen(student)
    student.eval()
    x = torch.randn(4, 1, 8, 8)
    questions = {"noise": Noised(x, torch.arange(4)), "logits": Images(x)}
    said = student(questions)
    for target, head in ((teacher.noise, "noise"), (teacher.soft(1.0), "logits")):
        student.zero_grad()
        losses = target.distance(said[head], target.answer(questions[head]), questions[head])
        losses.sum().backward(retain_graph=True)
        assert losses.abs().max() < 1e-6
        assert max(p.grad.abs().max() for p in student.parameters() if p.grad is not None) < 1e-6


def test_a_teacher_does_not_drop_out():
    teacher = frozen(a_joint_model(1, head_dropout=0.5).train())
    x = Images(torch.randn(4, 1, 8, 8))
    assert torch.equal(teacher.soft(1.0).answer(x), teacher.soft(1.0).answer(x))


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
        ({"warm_up": 1.5}, "its part of the descent goes from 0 to 1.5"),
        ({"per_class": 0}, "0 pictures a class"),
        ({"refresh": -1}, "every -1 steps"),
        ({"teacher_steps": 500}, "500"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(options, sentence, tmp_path):
    with pytest.raises(RequestError, match=sentence):
        train(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_in_one_stage_real_pictures_of_new_classes_stand_beside_dreams_of_old_ones():
    """Three old classes and a new one: 3/4 of a batch are dreams. There is no specialist (reference, 1.10)."""
    (phase,) = phases(frozen(a_joint_model(1)), two_stage=False, warm_up=0.0)
    old = "dreams of old classes"
    assert weights_of(phase) == pytest.approx(
        {
            f"{old} × teacher.noise": 1.5,
            f"{old} × true_noise": 0.75,
            "data × true_noise": 0.25,
            f"{old} × teacher.soft": 0.0015,
            f"{old} × label": 0.00075,
            "data × label": 0.00025,
        }
    )


@pytest.mark.parametrize("options", [{"two_stage": False}, {"distil": "none", "beta": 1.0}])
def test_each_ablation_runs(options, tmp_path):
    assert train(tmp_path / "run", **options).results["finished"]


def test_separate_networks_run(tmp_path):
    run = train(tmp_path / "run", sections={"joint": {"body": "cnn"}})
    assert learnt(run).options.body == "cnn"
