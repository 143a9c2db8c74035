"""JDCL's phases: which terms there are, what they weigh, and who teaches."""

import pytest
import torch

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images, Noised
from palimpsest.learning.now import Now
from palimpsest.learning.past import Past
from palimpsest.learning.teacher import Teacher, frozen
from palimpsest.models.joint import Joint, build_joint
from palimpsest.models.options import JointOptions, UNetOptions
from palimpsest.models.unet import build_unet
from palimpsest.strategies.catalog import load
from tests.learning.phases import of_class, phases_of, weights_of
from tests.tiny import DENOISER, tiny_denoiser


def a_joint_model(seed: int = 0, **options) -> Joint:
    return build_joint(tiny_denoiser(seed), JointOptions(head_width=8, **options), list("abcd"), seed)


def phases(past_teacher: Teacher, body: str = "shared", **options) -> list:
    """The phases of a second task, of one new class after three old ones."""
    learners = {"joint": a_joint_model(body=body)}
    now = Now(2, (3,), of_class(3), "joint", learners, lambda name: a_joint_model(9))
    keeps = frozenset({"teacher", "average"})
    past = Past(keeps, "joint", ("joint",), teachers={"joint": past_teacher}, classes=(0, 1, 2), count=1)
    return phases_of(load("jdcl")(now, past, teacher_steps=2, **options), frozen(a_joint_model(5)))


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


def test_a_class_with_a_network_of_its_own_is_not_weighed_against_the_noise():
    """Networks apart, as published: 1 for a teacher's opinion, 0.01 for the truth (reference, section 1.10)."""
    local, phase = phases(frozen(a_joint_model(1, body="cnn")), body="cnn", warm_up=0.0, shares="equal")
    assert weights_of(local) == {"data × true_noise": 1, "data × label": 1}
    found = weights_of(phase)
    assert found["dreams of old classes × teacher.soft"] == found["dreams of new classes × teacher.soft"] == 1
    assert found["dreams of old classes × label"] + found["dreams of new classes × label"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("distil", "heads"), [("noise", {"noise"}), ("classes", {"soft"}), ("none", set()), ("both", {"noise", "soft"})]
)
def test_what_is_distilled_can_be_chosen(distil, heads):
    _, phase = phases(frozen(a_joint_model(1)), distil=distil, warm_up=0.0)
    assert {name.rpartition("teacher.")[2] for name in weights_of(phase) if "teacher." in name} == heads


@pytest.mark.parametrize(("distil", "noise", "classes"), [("noise", 0.01, 1), ("classes", 1, 0.01), ("none", 1, 1)])
def test_what_no_teacher_says_is_learnt_from_the_truth_at_its_full_weight(distil, noise, classes):
    _, phase = phases(frozen(a_joint_model(1)), distil=distil, warm_up=0.0, alpha=0.1)
    found = weights_of(phase)
    assert sum(weight for name, weight in found.items() if name.endswith("true_noise")) == pytest.approx(noise)
    assert sum(weight for name, weight in found.items() if name.endswith("label")) == pytest.approx(0.1 * classes)


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
    """Neither where it says what it takes for noise, nor of which class a picture is, nor where it dreams and labels."""
    denoiser = tiny_denoiser(1)
    denoiser.network = build_unet(UNetOptions(**DENOISER, dropout=0.5), (1, 8, 8), 1)
    student = build_joint(denoiser, JointOptions(head_width=8, head_dropout=0.5), list("abcd"), 1).train()
    x, t = torch.randn(4, 1, 8, 8), torch.arange(4)
    torch.nn.init.normal_(student.network.conv_out.weight)  # which begins at nothing
    with torch.no_grad():
        questions = {"noise": Noised(x, t), "logits": Images(x)}
        one, other = student(questions), student(questions)
        assert not any(torch.equal(one[head], other[head]) for head in questions), "in training both heads drop out"
    teacher = frozen(student)
    pool = teacher.pool((0, 1), 2, 2)
    for ask in (
        lambda: teacher.soft(1.0).answer(Images(x)),
        lambda: teacher.noise.answer(Noised(x, t)),
        lambda: pool.dream(Batch(4, 0, (0, 1)).random("dreams"), 4)[0],
        lambda: pool.look(x),
    ):
        assert torch.equal(ask(), ask())


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
