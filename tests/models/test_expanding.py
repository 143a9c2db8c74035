"""Networks of several backbones, rows of proxies, and what stages see, against numbers by hand."""

import copy

import pytest
import torch
from torch.nn import functional

from palimpsest.core.images import Images
from palimpsest.learning.imprinting import middles
from palimpsest.models.classifier import build_classifier, open_classifier, save_classifier
from palimpsest.models.heads import CosineHead
from palimpsest.models.options import ClassifierOptions
from palimpsest.models.stages import profiles
from tests.tiny import same

SHAPE = (1, 8, 8)
NAMES = tuple("abcdef")


def classifier(network="cnn", **form):
    return build_classifier(ClassifierOptions(network=network, head="growing"), SHAPE, NAMES, 0, **form).eval()


def test_a_class_of_several_rows_has_the_mix_of_their_cosines():
    """PODNet's local similarity: cosines 1 and 0 of the first class mix to e / (e + 1), the second's are both −1."""
    head = CosineHead(2, 2, proxies=2)
    with torch.no_grad():
        head.old.copy_(torch.tensor([[[2.0, 0.0], [0.0, 3.0]], [[-1.0, 0.0], [-4.0, 0.0]]]))
        head.scale.fill_(3.0)
    mixed = torch.tensor([[torch.e / (torch.e + 1), -1.0]])
    features = torch.tensor([[0.5, 0.0]])
    assert torch.allclose(head.cosines(features), mixed) and torch.allclose(head(features), 3 * mixed)
    assert CosineHead(2, 2).old.shape == (2, 2), "one row a class is stored as ever"


def test_imprinted_proxies_are_the_middles_of_groups():
    """Four pictures of one class in two groups; a class of one picture has it twice."""
    seen = torch.tensor([[1.0, 0.0], [0.8, 0.0], [0.0, 1.0], [0.0, 0.6], [0.5, 0.5]])
    found = middles(seen, torch.tensor([3, 3, 3, 3, 5]), (3, 5), 2)
    assert sorted(found[0].tolist()) == [pytest.approx([0.0, 0.8]), pytest.approx([0.9, 0.0])]
    assert found[1].tolist() == [[0.5, 0.5], [0.5, 0.5]] and found.dtype == seen.dtype
    head = CosineHead(2, 6, proxies=2)
    head.meet((0,))
    with torch.no_grad():
        head.new[0] = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    head.meet((3, 5))
    head.imprint(found, (0,))
    assert torch.allclose(head.weight[3].norm(dim=1), torch.tensor([2.0, 2.0])), "as long as old rows on average"
    assert torch.equal(head.weight[0], torch.tensor([[3.0, 0.0], [0.0, 1.0]]))


def test_profiles_by_hand():
    """Squares [[1, 4], [9, 16]]: sums over width 5 and 25, over height 10 and 20; a shorter profile ends in zeros."""
    stage, short = torch.tensor([[[[1.0, -2.0], [3.0, 4.0]]]]), torch.tensor([[[[3.0]]]])
    found = profiles([stage, short])
    expected = torch.tensor([5.0, 25.0, 10.0, 20.0])
    assert torch.allclose(found[0, 0], expected / expected.norm())
    assert torch.allclose(found[0, 1], torch.tensor([0.5**0.5, 0.5**0.5, 0.0, 0.0]))
    assert profiles([stage[:0], short[:0]]).shape == (0, 2, 4)


@pytest.mark.parametrize(("network", "stages"), [("cnn", 3), ("resnet8", 3), ("resnet18", 4)])
def test_stages_are_seen_before_their_relu_in_one_pass_with_all_else(network, stages):
    learner, x = classifier(network, cosine=True, proxies=2), torch.randn(3, *SHAPE)
    learner.meet((0, 1))
    found = learner.network.look(x)[1]
    assert len(found) == stages and all(stage.min() < 0 for stage in found)
    said = learner({head: Images(x) for head in ("logits", "features", "stages")})
    assert learner.passes == 3
    assert torch.equal(said["stages"], profiles(found)) and torch.equal(said["features"], learner.features(x))


@pytest.mark.parametrize("network", ["cnn", "resnet8"])
def test_a_network_grows_by_backbones(network):
    learner, x = classifier(network, rooms=3), torch.randn(4, *SHAPE)
    learner.meet((0, 1))
    width = learner.features(x).shape[1]
    assert learner.network.count == 1, "the first classes have the first one"
    before = copy.deepcopy(learner)
    learner.meet((2,))
    learner.meet((2,))
    assert learner.network.count == 2 and learner.features(x).shape[1] == 2 * width
    first, second = learner.features(x).split(width, dim=1)
    assert torch.equal(first, before.features(x)) and torch.equal(first, second), "the new one begins as a copy"
    columns = learner.network.head
    assert torch.equal(columns.columns_0[:2], before.network.head.columns_0[:2])
    by_hand = first @ columns.columns_0.T + second @ columns.columns_1.T + columns.bias
    assert torch.allclose(learner.logits(x)[:, :3], by_hand[:, :3], atol=1e-5)
    assert learner.logits(x)[:, 3:].isneginf().all()
    assert learner.older == ("network.branches.0.*",)
    learner.meet((3,))
    learner.meet((4,))
    assert learner.network.count == 3, "there is no more room"


def test_what_the_newest_sees_has_logits_of_its_own():
    learner, x = classifier(rooms=2), torch.randn(4, *SHAPE)
    learner.meet((0, 1))
    learner.meet((2,))
    head, width = learner.network.head, learner.network.head.in_features
    said = learner({head: Images(x) for head in ("own", "logits")})
    newest = learner.features(x)[:, width:]
    expected = functional.linear(newest, head.own_weight, head.own_bias)
    assert torch.allclose(said["own"][:, [0, 1, 2, 6]], expected[:, [0, 1, 2, 6]], atol=1e-6)
    assert said["own"][:, 3:6].isneginf().all()
    with torch.no_grad():
        head.own_weight.fill_(1.0)
    fresh = classifier(rooms=2)
    head.renew()
    assert torch.equal(head.own_weight, fresh.network.head.own_weight)


def test_older_backbones_stay_in_evaluation_mode_and_cost_a_forward():
    learner = classifier("resnet8", rooms=3)
    learner.meet((0,))
    learner.meet((1,))
    learner.train()
    assert [branch.training for branch in learner.network.branches[:2]] == [False, True]
    assert learner.network.forwards == pytest.approx(4 / 3)
    before = copy.deepcopy(learner.network.branches[0])
    learner.logits(torch.randn(5, *SHAPE)).logsumexp(1).sum().backward()
    assert same(before, learner.network.branches[0]), "its batch statistics do not move"
    assert learner.eval().network.forwards == 2


@pytest.mark.parametrize("form", [{"rooms": 3}, {"cosine": True, "proxies": 10}])
def test_a_saved_model_opens_and_says_the_same(form, tmp_path):
    learner, x = classifier("resnet8", **form), torch.randn(2, *SHAPE)
    learner.meet((0, 1))
    learner.meet((2,))
    save_classifier(learner, tmp_path)
    opened = open_classifier(tmp_path)
    assert torch.equal(opened.logits(x), learner.logits(x)) and opened.arrived == (0, 1, 2)
    if "rooms" in form:
        assert len(opened.network.branches) == 2, "without what has not come"
    state = classifier("resnet8", **form)
    state.load_state_dict(learner.state_dict())
    assert torch.equal(state.logits(x), learner.logits(x)), "how many there are is part of the state"
