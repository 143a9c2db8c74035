"""Heads that grow, cosine heads, and prediction by the nearest mean, against numbers by hand."""

import copy

import pytest
import torch
from torch.nn import functional

from palimpsest.core.images import Images
from palimpsest.models.classifier import build_classifier, open_classifier, save_classifier
from palimpsest.models.heads import CosineHead
from palimpsest.models.options import ClassifierOptions
from palimpsest.models.predictors import directions, nearest_mean, open_means, save_means
from palimpsest.streams.pictures import Pictures
from tests.tiny import same

SHAPE = (1, 8, 8)
NAMES = tuple("abcdef")


def classifier(cosine=False, network="cnn", head="growing"):
    return build_classifier(ClassifierOptions(network=network, head=head), SHAPE, NAMES, 0, cosine).eval()


def pictures(count, labels):
    pixels = torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return Pictures(pixels, torch.tensor(labels))


@pytest.mark.parametrize(
    ("network", "width", "parameters"),
    [("resnet8", 64, 78_042), ("resnet20", 64, 272_474), ("resnet32", 64, 466_906), ("resnet18", 512, 11_181_642)],
)
def test_residual_networks_by_their_name(network, width, parameters):
    """ResNet-32 of the literature has 464,154 parameters with plain shortcuts (arXiv 1512.03385, table 6: 0.46M), and 2,752 more
    with convolutions in the two that change the shape; ResNet-18 with ten classes as torchvision's."""
    options = ClassifierOptions(network=network)
    built = build_classifier(options, (3, 32, 32), tuple("0123456789"), 0)
    assert sum(p.numel() for p in built.parameters()) == parameters and built.width == width
    assert built.logits(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_a_cosine_head_says_what_cosines_say():
    head = CosineHead(2, 3)
    with torch.no_grad():
        head.old.copy_(torch.tensor([[2.0, 0.0], [0.0, 0.5], [-1.0, -1.0]]))
        head.scale.fill_(4.0)
    features = torch.tensor([[3.0, 3.0]])
    expected = torch.tensor([[0.5**0.5, 0.5**0.5, -1.0]])
    assert torch.allclose(head.cosines(features), expected, atol=1e-6)
    assert torch.allclose(head(features), 4 * expected, atol=1e-6)


def test_features_of_a_cosine_classifier_may_be_negative_and_those_of_others_may_not():
    x = torch.randn(16, *SHAPE)
    for network in ("cnn", "resnet8"):
        assert classifier(network=network).features(x).min() >= 0
        assert classifier(True, network).features(x).min() < 0


@pytest.mark.parametrize("cosine", [False, True])
def test_a_head_grows_with_the_classes(cosine):
    learner, x = classifier(cosine), torch.randn(4, *SHAPE)
    learner.meet((4, 1))
    assert learner.arrived == (1, 4)
    assert learner.logits(x)[:, [1, 4]].isfinite().all() and learner.logits(x)[:, [0, 2, 3, 5]].isneginf().all()
    loss = functional.cross_entropy(learner.logits(x), torch.tensor([1, 4, 1, 4]))
    loss.backward()
    rows = learner.network.head.new if cosine else learner.network.head.weight
    assert rows.grad[[1, 4]].abs().sum() > 0 and rows.grad[[0, 2, 3, 5]].abs().sum() == 0
    assert torch.isfinite(loss)


@pytest.mark.parametrize("cosine", [False, True])
def test_a_class_begins_anew_when_it_arrives_whatever_decay_did_to_its_row(cosine):
    learner = classifier(cosine)
    fresh = copy.deepcopy(learner)
    learner.meet((0, 1))
    rows = learner.network.head.new if cosine else learner.network.head.weight
    with torch.no_grad():
        rows.mul_(0.1)  # weight decay reaches rows that get no gradient
    before = learner.network.head.weight.detach().clone()
    learner.meet((3,))
    fresh.meet((3,))
    assert torch.equal(learner.network.head.weight[3], fresh.network.head.weight[3])
    assert torch.equal(learner.network.head.weight[:2], before[:2]), "what was learnt stays"
    learner.meet((3,))
    assert torch.equal(learner.network.head.weight[:2], before[:2])


def test_old_rows_of_a_cosine_head_are_parameters_apart():
    learner = classifier(True)
    learner.meet((0, 1))
    learner.meet((2,))
    head = learner.network.head
    functional.cross_entropy(learner.logits(torch.randn(3, *SHAPE)), torch.tensor([0, 1, 2])).backward()
    assert head.new.grad[2].abs().sum() > 0 and head.new.grad[:2].abs().sum() == 0
    assert head.old.grad[:2].abs().sum() > 0 and head.old.grad[2].abs().sum() == 0


def test_imprinted_rows_have_the_direction_of_the_pictures_and_the_length_of_old_rows():
    head = CosineHead(3, 4)
    head.meet((0, 1))
    with torch.no_grad():
        head.new[:2] = torch.tensor([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    head.meet((2, 3))
    head.imprint(torch.tensor([[0.0, 0.1, 0.0], [0.3, 0.0, 0.4]]), (0, 1))
    assert torch.allclose(head.weight[2], torch.tensor([0.0, 2.0, 0.0]))
    assert torch.allclose(head.weight[3], torch.tensor([1.2, 0.0, 1.6]))
    assert torch.equal(head.weight[:2], torch.tensor([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))


def test_one_forward_pass_answers_all_heads_about_the_same_pictures():
    learner = classifier(True)
    learner.meet((0, 1))
    images = Images(torch.randn(5, *SHAPE))
    said = learner({head: images for head in ("logits", "features", "cosines")})
    assert learner.passes == 5
    assert torch.allclose(said["logits"][:, :2], said["cosines"][:, :2] * learner.network.head.scale)
    judged = learner({"judged_cosines": Images(said["features"])})["judged_cosines"]
    assert torch.equal(judged, said["cosines"])


def test_the_nearest_mean_by_hand(tmp_path):
    learner, remembered = classifier(), pictures(5, [0, 0, 0, 2, 2])
    predictor = nearest_mean(learner, remembered)
    seen = functional.normalize(learner.features(remembered.take(torch.arange(5))[0]), dim=1)
    first = functional.normalize(seen[:3].mean(0), dim=0)
    assert torch.allclose(predictor.means[0], first, atol=1e-6) and not predictor.means[[1, 3, 4, 5]].any()
    x = remembered.take(torch.tensor([3]))[0]
    logits = predictor.logits(x)
    assert logits[0, 0].item() == pytest.approx(-(seen[3] - first).square().sum().item(), abs=1e-5)
    assert logits[0, [1, 3, 4, 5]].isneginf().all()
    save_classifier(learner, tmp_path)
    save_means(predictor, True, tmp_path)
    opened, own = open_means(open_classifier(tmp_path), tmp_path)
    assert own and torch.allclose(opened.logits(x), logits)


def test_directions_are_of_length_one_and_may_take_mirror_images_in():
    learner, some = classifier().train(), pictures(3, [0, 1, 2])
    plain, mirrored = directions(learner, some), directions(learner, some, mirrored=True)
    assert learner.training, "it is left as it was"
    x = some.take(torch.arange(3))[0]
    turned = directions(learner, Pictures(some.pixels.flip(-1), some.labels))
    assert torch.allclose(plain.norm(dim=1), torch.ones(3), atol=1e-6) and x.shape == (3, *SHAPE)
    assert torch.allclose(mirrored, (plain + turned) / 2, atol=1e-6)


@pytest.mark.parametrize("cosine", [False, True])
def test_a_saved_classifier_knows_which_classes_have_arrived(cosine, tmp_path):
    learner = classifier(cosine, "resnet8")
    learner.meet((5, 2))
    save_classifier(learner, tmp_path)
    opened = open_classifier(tmp_path)
    assert same(learner, opened) and opened.arrived == (2, 5)
    x = torch.randn(2, *SHAPE)
    assert torch.equal(opened.logits(x), learner.logits(x))


def test_in_a_round_every_class_is_an_old_one():
    learner, x = classifier(cosine=True), torch.randn(4, *SHAPE)
    learner.meet((0, 1))
    learner.meet((0, 1))  # resumed
    assert learner.network.head.is_new[:2].all()
    logits = learner.logits(x)
    learner.meet(())
    assert not learner.network.head.is_new.any()
    assert torch.equal(learner.logits(x), logits)
