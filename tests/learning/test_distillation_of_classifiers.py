"""What distillation weighs in the phases of iCaRL and FOSTER, weight and distance together, against the forms of published code."""

import pytest
import torch
from torch.nn import functional

from palimpsest.core.images import Images
from palimpsest.learning.teacher import frozen
from palimpsest.targets import Soft
from tests.learning.steps import Step

T = 2.0


def opinion_of(phase):
    (term,) = [term for term in phase.terms if isinstance(term.target, Soft)]
    return term


def weighed(term, learner, x):
    """What a term adds to the loss: its weight times the mean of its distances."""
    question = Images(x, torch.zeros(len(x), dtype=torch.int64))
    said = learner({"logits": question})["logits"]
    return (term.weight * term.target.distance(said, term.target.answer(question), question).mean()).item()


@pytest.fixture
def x():
    return torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def different(learner):
    """The learner with another last layer, so that it does not agree with its teacher."""
    with torch.no_grad():
        for name, rows in learner.network.head.named_parameters():
            rows.add_(torch.randn(rows.shape, generator=torch.Generator().manual_seed(2)))
    return learner.eval()


def softened(network, x, classes):
    return (network.logits(x)[:, :classes] / T).log_softmax(1)


@pytest.mark.parametrize("old", [2, 5])
def test_icarls_is_the_published_mean_over_elements(old, x):
    """Code of LUCIR's baseline: the mean over pictures and old classes of the divergence, times T² · 0.25 · old classes."""
    step = Step("icarl", old, 2)
    term, learner = opinion_of(step.phases()), different(step.learner)
    student, teacher = softened(learner, x, old), softened(step.teacher, x, old)
    element_mean = functional.kl_div(student, teacher, reduction="none", log_target=True).mean().item()
    assert weighed(term, learner, x) == pytest.approx(element_mean * T**2 * 0.25 * old, rel=1e-4)
    assert opinion_of(step.phases(strength=3.0)).weight == pytest.approx(3 * term.weight)


def test_fosters_are_means_over_the_batch_with_a_weight_of_1(x):
    """Boosting and compression: a divergence at T that weighs 1, read as one without a T² before it."""
    step = Step("foster", 3, 2)
    phases = step.phases(beta=0.9, compression_beta=0.9)
    term, learner = opinion_of(next(phases)), different(step.learner)
    student, teacher = softened(learner, x, 3), softened(step.teacher, x, 3)
    boosting = functional.kl_div(student, teacher, reduction="batchmean", log_target=True).item()
    assert weighed(term, learner, x) == pytest.approx(boosting, rel=1e-4)
    both = frozen(Step("foster", 3, 2).learner)
    term = opinion_of(phases.send(both))
    weights = term.target.balance.over(5, torch.device("cpu"))
    probable = softened(both.learner, x, 5).exp() * weights
    wanted = probable / probable.sum(1, keepdim=True)
    compression = functional.kl_div(softened(learner, x, 5), wanted, reduction="batchmean").item()
    assert weighed(term, learner, x) == pytest.approx(compression, rel=1e-4)
