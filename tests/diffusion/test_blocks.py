"""diffusers' blocks kept channels last: the same numbers, and no turn of the layout on the way."""

import copy

import pytest
import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from torch import nn

from palimpsest.diffusion.blocks import ResnetBlock, Upsample, keep_channels_last

LAST = torch.channels_last
ROWS = 64  # from which on diffusers upsamples in the contiguous layout


def unconditional(**options) -> UNet2DModel:
    torch.manual_seed(0)
    down, up = ("DownBlock2D", "AttnDownBlock2D"), ("AttnUpBlock2D", "UpBlock2D")
    widths = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 4}
    return UNet2DModel(8, 1, 1, down_block_types=down, up_block_types=up, **widths, **options).to(memory_format=LAST)


def conditional() -> UNet2DConditionModel:
    torch.manual_seed(0)
    down, up = ("DownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")
    widths = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4, "cross_attention_dim": 6}
    return UNet2DConditionModel(8, 1, 1, down_block_types=down, up_block_types=up, attention_head_dim=4, **widths)


def asked(network: nn.Module, *more: torch.Tensor) -> torch.Tensor:
    x = torch.randn(ROWS, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return network(x, torch.arange(ROWS), *more).sample


def inner_inputs(network: nn.Module) -> list[torch.Tensor]:
    """What goes into each convolution that sees more than one channel."""
    seen, inside = [], [each for each in network.modules() if isinstance(each, nn.Conv2d) and each.in_channels > 1]
    hooks = [each.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for each in inside]
    asked(network)
    for hook in hooks:
        hook.remove()
    assert len(seen) == len(inside)
    return seen


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"mid_block_scale_factor": 2.0}, {"resnet_time_scale_shift": "scale_shift"}])
def test_answers_and_gradients_are_those_of_diffusers_blocks(training, options):
    theirs = unconditional(**options).train(training)
    ours = copy.deepcopy(theirs)
    keep_channels_last(ours)
    torch.testing.assert_close(asked(ours), asked(theirs), rtol=1e-5, atol=1e-6)
    for network in (ours, theirs):
        asked(network).square().sum().backward()
    for (name, mine), their in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, their.grad, rtol=1e-4, atol=1e-5, msg=lambda said: f"{name}: {said}")


def test_answers_of_a_network_that_reads_text_are_the_same():
    theirs, words = conditional(), torch.randn(ROWS, 3, 6, generator=torch.Generator().manual_seed(2))
    ours = copy.deepcopy(theirs)
    keep_channels_last(ours)
    assert any(isinstance(module, ResnetBlock) for module in ours.modules())
    torch.testing.assert_close(asked(ours, words), asked(theirs, words), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_no_convolution_is_given_another_layout(training):
    network = unconditional().train(training)
    assert not all(each.is_contiguous(memory_format=LAST) for each in inner_inputs(network))
    keep_channels_last(network)
    assert all(each.is_contiguous(memory_format=LAST) for each in inner_inputs(network))


def test_more_numbers_than_torch_upsamples_in_this_layout_are_left_to_diffusers(monkeypatch):
    network, seen = unconditional(), []
    keep_channels_last(network)
    monkeypatch.setattr("palimpsest.diffusion.blocks.LARGEST", 1)
    upsample = next(module for module in network.modules() if isinstance(module, Upsample))
    upsample.conv.register_forward_pre_hook(lambda _, given: seen.append(given[0].is_contiguous()))
    asked(network)
    assert seen == [True]


def test_another_size_may_be_asked_for():
    network = unconditional()
    keep_channels_last(network)
    upsample = next(module for module in network.modules() if isinstance(module, Upsample))
    assert upsample(torch.zeros(2, upsample.channels, 4, 4), (7, 5)).shape[-2:] == (7, 5)


def test_diffusers_opens_what_is_saved(tmp_path):
    network = unconditional()
    keep_channels_last(network)
    network.save_pretrained(tmp_path)
    opened = UNet2DModel.from_pretrained(tmp_path)
    assert not any(isinstance(module, ResnetBlock | Upsample) for module in opened.modules())
    torch.testing.assert_close(asked(opened), asked(network), rtol=1e-5, atol=1e-6)
