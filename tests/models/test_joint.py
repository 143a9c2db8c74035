"""The joint model: as large as published, one body for both heads."""

from unittest.mock import Mock

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Random, generator
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.process import make_process
from palimpsest.models.joint import (
    Joint,
    build_joint,
    encoder_maps,
    feature_width,
    features,
    make_classifying,
    save_head,
    with_head,
)
from palimpsest.models.options import JointOptions, UNetOptions
from palimpsest.models.unet import build_unet, parameter_count
from tests.tiny import DENOISER, SHAPE, same, tiny_denoiser

# 2411.08224's published code: U-Net with its encoder and middle, head for 10 classes; by section 1.2 of the reference.
CIFAR = {"block_out_channels": (128, 256, 256, 256), "attention": (1, 2), "width": 3712, "head": 1024}
IMAGENET = {"block_out_channels": (192, 384, 384, 384), "attention": (3,), "width": 5568, "head": 2048}
TINY = JointOptions(head_width=16)


def published(net: dict, size: int) -> torch.nn.Module:
    blocks = ["AttnDownBlock2D" if level in net["attention"] else "DownBlock2D" for level in range(4)]
    options = UNetOptions(
        block_out_channels=net["block_out_channels"],
        layers_per_block=3,
        down_block_types=tuple(blocks),
        attention_head_dim=64,
        resnet_time_scale_shift="scale_shift",
    )
    with torch.device("meta"):
        return build_unet(options, (3, size, size))


def a_joint_model(seed: int = 0, **options) -> Joint:
    return build_joint(tiny_denoiser(seed, **options), TINY, ["a", "b", "c"], seed).eval()


@pytest.mark.parametrize(
    ("net", "size", "millions", "encoder", "head"),
    [(CIFAR, 32, 52.54, 20.41, {10: 3.81, 100: 3.90}), (IMAGENET, 64, 114.00, 44.11, {100: 11.61})],
    ids=["cifar", "imagenet_100"],
)
def test_the_published_networks_have_the_published_sizes(net, size, millions, encoder, head):
    network = published(net, size)
    body = Mock(network=network, shape=(3, size, size))
    assert parameter_count(network) / 1e6 == pytest.approx(millions, abs=0.005)
    half = [network.conv_in, network.time_embedding, *network.down_blocks, network.mid_block]
    assert sum(map(parameter_count, half)) / 1e6 == pytest.approx(encoder, abs=0.005)
    assert feature_width(network) == net["width"]
    for classes, count in head.items():
        with torch.device("meta"):
            made = make_classifying(JointOptions(head_width=net["head"]), body, classes)
        assert (made[0].in_features, made[-1].out_features) == (net["width"], classes)
        assert parameter_count(made) / 1e6 == pytest.approx(count, abs=0.005)


def test_the_head_is_what_the_paper_has():
    joint = a_joint_model()
    assert [type(layer).__name__ for layer in joint.classify] == ["Linear", "LeakyReLU", "Dropout", "Linear"]
    assert joint.classify[0].in_features == feature_width(joint.network) == 8 + (8 + 8) + 8 + 8
    assert joint.classify[1].negative_slope == 0.2 and joint.classify[3].out_features == 3


WITH_ATTENTION = UNetOptions(
    block_out_channels=(8, 8),
    norm_num_groups=4,
    layers_per_block=2,
    down_block_types=("AttnDownBlock2D", "DownBlock2D"),
    attention_head_dim=4,
    resnet_time_scale_shift="scale_shift",
)


@pytest.mark.parametrize(
    "options", [UNetOptions(**DENOISER), WITH_ATTENTION], ids=["default", "attention first, scale and shift"]
)
def test_the_encoder_alone_gives_what_the_whole_network_has_on_its_way_bit_for_bit(options):
    denoiser = Denoiser(build_unet(options, SHAPE), make_process(DiffusionOptions(steps=100)), SHAPE)
    joint = build_joint(denoiser, TINY, ["a", "b", "c"], 0).eval()
    x, t = torch.randn(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)
    seen = []
    hooks = [joint.network.conv_in.register_forward_hook(lambda module, given, made: seen.append(made))]
    hooks += [
        block.register_forward_hook(lambda module, given, made: seen.extend(made[1]))
        for block in joint.network.down_blocks
    ]
    hooks += [joint.network.mid_block.register_forward_hook(lambda module, given, made: seen.append(made))]
    joint.noise(x, t)
    for hook in hooks:
        hook.remove()
    maps = encoder_maps(joint.network, x, t)
    assert len(maps) == len(seen)
    assert all(torch.equal(one, other) for one, other in zip(maps, seen, strict=True))
    averages = torch.cat([found.mean((2, 3)) for found in seen], 1)
    assert torch.equal(features(joint.network, x), averages)


def test_both_heads_learn_in_one_body():
    """The loss of each head reaches the body; the class's does not reach the way up."""
    joint = a_joint_model().train()
    x, t, y = torch.randn(4, 1, 8, 8), torch.arange(4), torch.tensor([0, 1, 2, 0])
    said = joint({"noise": Noised(x, t), "logits": Images(x, y)})
    assert said["noise"].shape == x.shape and said["logits"].shape == (4, 3)
    torch.nn.functional.cross_entropy(said["logits"], y).backward()
    assert joint.network.conv_in.weight.grad is not None and joint.network.conv_out.weight.grad is None
    said["noise"].square().mean().backward()
    assert joint.network.conv_out.weight.grad is not None


def test_each_head_is_posed_its_own_view():
    joint, random = a_joint_model(), Random(generator(0), 0, 1, 2)
    images = Images(torch.zeros(2, 1, 8, 8), views={"logits": torch.ones(2, 1, 8, 8)})
    assert torch.equal(joint.pose("logits", images, random).x, torch.ones(2, 1, 8, 8))
    noised = joint.pose("noise", images, random)
    assert noised.noise is not None
    with pytest.raises(RequestError, match='head "logits" about noised inputs; it has "noise" for'):
        joint.pose("logits", noised, random)


def test_an_encoder_pass_counts_for_its_share_of_the_operations():
    joint = a_joint_model()
    assert 0.2 < joint.share_of_looking < 0.6
    joint.noise(torch.zeros(5, 1, 8, 8), 3)
    assert joint.passes == 5
    joint.logits(torch.zeros(10, 1, 8, 8))
    assert joint.passes == pytest.approx(5 + 10 * joint.share_of_looking)
    joint.logits(torch.zeros(0, 1, 8, 8))
    joint.passes = 0
    assert joint.passes == 0


def test_no_pictures_are_answered_too():
    joint = a_joint_model()
    said = joint({"noise": Noised(torch.zeros(0, 1, 8, 8), torch.zeros(0)), "logits": Images(torch.zeros(0, 1, 8, 8))})
    assert said["noise"].shape == (0, 1, 8, 8) and said["logits"].shape == (0, 3)


def test_a_saved_head_opens_again_and_a_broken_one_is_refused(tmp_path):
    joint = a_joint_model(1)
    save_head(joint, tmp_path)
    again = with_head(tiny_denoiser(1), tmp_path)
    assert same(joint, again) and again.classes == joint.classes and not again.training
    (tmp_path / "joint_head.safetensors").write_bytes(b"no")
    with pytest.raises(RequestError, match="the head in .* cannot be opened"):
        with_head(tiny_denoiser(1), tmp_path)
    assert with_head(tiny_denoiser(1), tmp_path / "elsewhere") is None


@pytest.mark.parametrize("body", ["cnn", "resnet18"])
def test_a_network_apart_shares_nothing_with_the_generator(body, tmp_path):
    joint = build_joint(tiny_denoiser(), JointOptions(body=body), ["a", "b", "c"], 0)
    said = joint({"logits": Images(torch.randn(4, 1, 8, 8))})["logits"]
    assert said.shape == (4, 3)
    said.sum().backward()
    assert all(parameter.grad is None for parameter in joint.denoiser.parameters())
    assert joint.passes > 0
    save_head(joint, tmp_path)
    assert same(joint, with_head(tiny_denoiser(), tmp_path))
