"""Where the rows of new classes begin, in the phases of LUCIR and PODNet."""

import copy

import pytest
import torch
from torch.nn import functional

from tests.learning.steps import Step


@pytest.fixture(params=["lucir", "podnet"])
def step(request):
    """The old rows are of different lengths, and batch statistics are not those of the pictures."""
    made = Step(request.param, 3, 2)
    with torch.no_grad():
        made.learner.network.head.old.mul_(
            torch.arange(1.0, 6.0).view(5, *[1] * (made.learner.network.head.old.ndim - 1))
        )
    made.learner.train()
    return made


def seen_in(step):
    """Features of length 1 of the new classes' pictures as they are stored, by the weights as they are, in evaluation mode."""
    pictures, network = step.now.data.pictures, copy.deepcopy(step.learner.network).eval()
    x = torch.as_tensor(pictures.pixels).float() / 127.5 - 1
    return functional.normalize(network.features(x).detach(), dim=1)


def test_new_rows_begin_at_their_pictures_with_the_mean_length_of_old_rows(step):
    """LUCIR: at the mean of their pictures' features. PODNet, whose two rows a class have two pictures here: at each of them."""
    head, seen, labels = step.learner.network.head, seen_in(step), step.now.data.pictures.labels
    length = head.old.detach()[:3].norm(dim=-1).mean()
    began = next(step.phases()).start.learner.network.head.weight.detach()
    for number in (3, 4):
        features = seen[labels == number]
        if head.proxies == 1:
            expected = functional.normalize(features.mean(0), dim=0) * length
            assert torch.allclose(began[number], expected, atol=1e-5)
        else:
            assert torch.allclose(
                torch.cdist(began[number], features * length).min(0).values, torch.zeros(2), atol=1e-4
            )
    assert torch.equal(began[:3], head.weight.detach()[:3]), "old rows are as they were"


def test_looking_for_them_changes_nothing(step):
    before = copy.deepcopy(step.learner.state_dict())
    next(step.phases()).start.learner
    assert all(torch.equal(before[name], value) for name, value in step.learner.state_dict().items())
    assert step.learner.training


def test_the_first_task_begins_with_its_initial_rows(step):
    step.past.__dict__["classes"] = ()
    assert not next(step.phases()).start.exists
