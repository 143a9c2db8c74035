"""The phases of methods beside jdcl: who learns when, from which terms, and what they weigh, in the first task and in the third."""

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.learning.now import Now
from palimpsest.learning.past import Past
from palimpsest.learning.teacher import frozen
from palimpsest.models.classifier import build_classifier
from palimpsest.models.feature_gan import build_feature_gan
from palimpsest.models.options import ClassifierOptions, FeatureGANOptions
from palimpsest.sources import Memory
from palimpsest.strategies.catalog import load, look_up
from tests.learning.phases import of_class, phases_of, weights_of
from tests.tiny import SHAPE, conditional_denoiser

LEARNERS = {
    "classifier": build_classifier(ClassifierOptions(), SHAPE, list("abcd"), 0),
    "conditional_denoiser": conditional_denoiser(),
    "feature_gan": build_feature_gan(FeatureGANOptions(codes=4, hidden=8), 128, 4, SHAPE, 0),
}


def phases(strategy: str, k: int, **options: float) -> list:
    """Those of a task with class 3, the first one or one after two others with the classes 0 to 2."""
    declared = look_up(strategy)
    learners = {name: LEARNERS[name] for name in declared.learners}
    past = Past(frozenset(declared.keeps), declared.learners[0], declared.learners)
    if k > 1:
        teachers = {name: frozen(learner) for name, learner in learners.items()}
        memory = Memory((of_class(0).pictures,)) if "memory" in declared.keeps else past.remembered
        past = Past(
            past.keeps,
            past.learner,
            past.learners,
            teachers=teachers,
            remembered=memory,
            classes=(0, 1, 2),
            count=k - 1,
        )
    if "conditional_denoiser" in learners:
        options |= {"teacher_steps": 2}
    now = Now(k, (3,), of_class(3), declared.learners[0], learners)
    return phases_of(load(strategy)(now, past, **options), frozen(LEARNERS["classifier"]))


def found(strategy: str, k: int, **options: float) -> list[tuple[str, dict[str, float]]]:
    """Who learns, and from what."""
    return [(phase.learner, weights_of(phase)) for phase in phases(strategy, k, **options)]


GENERATOR = (
    "conditional_denoiser",
    {"data × true_noise": pytest.approx(1 / 3), "dreams × true_noise": pytest.approx(1.4 / 3)},
)
CLASSIFIER = "classifier", {"data × label": pytest.approx(1 / 3), "dreams × label": pytest.approx(1.4 / 3)}
ORDER = {"dgr_diffusion": [GENERATOR, CLASSIFIER], "guide": [GENERATOR, CLASSIFIER], "ddgr": [CLASSIFIER, GENERATOR]}


@pytest.mark.parametrize("strategy", ORDER)
def test_a_generator_and_a_classifier_learn_from_dreams(strategy):
    """1/k and λ (1 − 1/k), λ = 0.7, of both; ddgr's classifier learns before its generator."""
    first = [(learner, {next(iter(terms)): 1}) for learner, terms in ORDER[strategy]]
    assert found(strategy, 1, strength=0.7) == first
    assert found(strategy, 3, strength=0.7) == ORDER[strategy]


@pytest.mark.parametrize("strategy", ORDER)
@pytest.mark.parametrize(("k", "seen"), [(1, (3,)), (3, (0, 1, 2, 3))])
def test_classes_that_were_never_seen_do_not_take_part(strategy, k, seen):
    (classifier,) = (phase for phase in phases(strategy, k) if phase.learner == "classifier")
    assert all(term.target.classes == seen for term in classifier.present)


@pytest.mark.parametrize("strategy", ORDER)
def test_what_bends_their_dreams(strategy):
    """Nothing in deep generative replay; ddgr's by the previous classifier; guide's for its classifier, by that itself, to the new class."""
    dreams = {phase.learner: phase.present[1].source for phase in phases(strategy, 3)}
    generator, classifier = dreams["conditional_denoiser"], dreams["classifier"]
    assert generator.classes == classifier.classes == (0, 1, 2)
    if strategy == "dgr_diffusion":
        assert generator == classifier and generator.guide is None
    if strategy == "ddgr":
        assert generator == classifier and generator.guide.classifier is not LEARNERS["classifier"]
        assert generator.guide.known == (0, 1, 2) and not generator.guide.through and generator.guide.others is None
    if strategy == "guide":
        guide = classifier.dreams.guide
        assert generator.guide is None and guide.classifier is LEARNERS["classifier"] and guide.through
        assert guide.others == (3,) and guide.known == (0, 1, 2, 3)


def test_nncsl():
    """1 and 0.2 of neighbours, 0.005 of labels: 1/k of the task's, 1 − 1/k of the buffer's (reference, 2.5)."""
    near, labels = "supported × neighbours of data", "supported × label of data"
    assert found("nncsl", 1) == [("classifier", {near: 1, labels: 0.005})]
    before, kept = "supported × teacher.neighbours of memory", "supported × label of memory"
    expected = {near: 1, before: 0.2, labels: 0.005 / 3, kept: 0.01 / 3}
    assert found("nncsl", 3) == [("classifier", pytest.approx(expected))]


def test_nncsl_looks_among_the_labels_of_the_task_and_the_teacher_among_the_buffers():
    (phase,) = phases("nncsl", 3, memory_size=8)
    near, before, *_ = (term.target for term in phase.present)
    assert near.target.classes == (3,) and before.target.classes == (0, 1, 2)
    assert [source.name for source in before.sources] == ["unlabelled", "memory"]
    assert len({term.source for term in phase.present}) == 1, "one question"


def test_gfr():
    """1/k, 1 − 1/k and λ (k − 1); then the critic in every step, its generator and a (k − 1) of what it made in every fifth."""
    first, third = phases("gfr", 1, distillation=2.0, alignment=0.5), phases("gfr", 3, distillation=2.0, alignment=0.5)
    assert [weights_of(phase) for phase in first] == [{"data × label": 1}, {"data × critic": 1, "data × generator": 1}]
    classifier, generator = third
    assert [phase.in_evaluation for phase in (*first, *third)] == [False, False, True, False]
    assert weights_of(classifier) == pytest.approx(
        {"data × label": 1 / 3, "feature dreams × label": 2 / 3, "data × teacher.features": 4}
    )
    assert weights_of(generator) == {"data × critic": 1, "data × generator": 1, "codes × teacher.made": 1}
    assert [term.every for term in generator.present] == [1, 5, 5]
    assert [phase.learner for phase in third] == ["classifier", "feature_gan"]


@pytest.mark.parametrize("strategy", ["dgr_diffusion", "guide"])
def test_dreams_of_a_set_are_told_what_to_be(strategy):
    """Four of each old class by the previous generator; guide's classifier still has new ones of its border, by a sampler of its own."""
    generator, classifier = (phase.present[1].source for phase in phases(strategy, 3, per_class=4))
    assert (generator.classes, generator.count, generator.labeller) == ((0, 1, 2), 4, None)
    assert weights_of(phases(strategy, 3, per_class=4)[0]) == weights_of(phases(strategy, 3)[0])
    if strategy == "dgr_diffusion":
        assert classifier.count == 4 and classifier is not generator
    else:
        (_, border) = (p.present[1].source for p in phases(strategy, 3, per_class=4, teacher_sampler="ddpm", guided_sampler="ddim"))
        assert border.dreams.sampler.name == "ddim"


@pytest.mark.parametrize(("options", "why"), [({"per_class": -1}, "give a number from 0"), ({"per_class": 4, "reuse": 2}, "give reuse = 1 with per_class")])
def test_sets_that_cannot_be(options, why):
    with pytest.raises(RequestError, match=why):
        phases("dgr_diffusion", 3, **options)
