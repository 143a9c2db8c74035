"""The residual networks: their size by arithmetic, their answers by the paper's figure, pictures of many sizes."""

import copy

import pytest
import torch
from torch.nn import functional

from palimpsest.models.resnet import BasicBlock, resnet18, small_resnet
from palimpsest.models.unet import parameter_count


def block_size(inputs: int, outputs: int) -> int:
    """Numbers in a basic block: two 3×3 convolutions, a 1×1 one where it widens, two numbers a normalised channel."""
    shortcut = inputs * outputs + 2 * outputs if inputs != outputs else 0
    return 9 * inputs * outputs + 9 * outputs * outputs + 4 * outputs + shortcut


@pytest.mark.parametrize("channels", [3, 1])
def test_resnet_18_has_as_many_parameters_as_its_table_says(channels):
    stem = 49 * channels * 64 + 2 * 64
    stages = sum(
        block_size(a, b) for a, b in [(64, 64)] * 2 + [(64, 128), (128, 128), (128, 256), (256, 256), (256, 512)]
    )
    body = stem + stages + block_size(512, 512)
    assert channels != 3 or body == 11_176_512
    assert parameter_count(resnet18(10, channels)) == body + 512 * 10 + 10


def test_a_block_is_its_convolutions_added_to_its_shortcut():
    torch.manual_seed(0)
    block, x = BasicBlock(4, 6, stride=2).eval(), torch.randn(2, 4, 7, 9)
    for value in block.state_dict().values():  # statistics that are not those of a fresh normalisation
        value.copy_(torch.rand(value.shape) + 0.5)

    def normalised(x, norm):
        return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)

    first, norm, _, second, last = block.residual
    inside = normalised(functional.conv2d(x, first.weight, stride=2, padding=1), norm).relu()
    inside = normalised(functional.conv2d(inside, second.weight, padding=1), last)
    beside = normalised(functional.conv2d(x, block.shortcut[0].weight, stride=2), block.shortcut[1])
    torch.testing.assert_close(block(x), (inside + beside).relu())
    assert block(x).shape == (2, 6, 4, 5)


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (28, 28), (9, 20), (64, 64)])
def test_any_size_from_8_pixels_splits_into_features_and_classes(size):
    network = resnet18(7).eval()
    x = torch.rand(2, 3, *size) * 2 - 1
    features = network.features(x)
    assert features.shape == (2, 512) and network(x).shape == (2, 7)
    torch.testing.assert_close(network(x), network.classify(features))


def test_a_picture_of_32_pixels_is_halved_five_times():
    network, sizes = resnet18(7).eval(), []
    for module in (network.stem, *network.stages):
        module.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    network(torch.zeros(1, 3, 32, 32))
    assert sizes == [(64, 8, 8)] * 3 + [(128, 4, 4)] * 2 + [(256, 2, 2)] * 2 + [(512, 1, 1)] * 2


def test_a_gray_picture_is_copied_to_three_channels():
    network, x = resnet18(7).eval(), torch.rand(2, 1, 8, 8)
    assert torch.equal(network(x), network(torch.cat([x, x, x], dim=1)))


@pytest.mark.parametrize("network", [resnet18(3), small_resnet(8, 3)], ids=["resnet18", "resnet8"])
def test_one_picture_alone_is_normalised_as_others_were(network):
    for _ in range(3):
        network(torch.randn(8, 3, 32, 32))
    before, alone = copy.deepcopy(network.state_dict()), torch.randn(1, 3, 32, 32)
    logits = network(alone)
    logits.sum().backward()
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(module.training for module in network.modules())
    torch.testing.assert_close(logits, network.eval()(alone))
