"""The denoiser's network: diffusers' U-Net, built from an experiment."""

from typing import TYPE_CHECKING

import torch

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.random import seed_of
from palimpsest.models.options import UNetOptions

if TYPE_CHECKING:
    from diffusers import UNet2DModel

DOWN_BLOCKS = ("DownBlock2D", "AttnDownBlock2D")
UP_BLOCKS = ("UpBlock2D", "AttnUpBlock2D")


def build_unet(options: UNetOptions, shape: tuple[int, int, int], seed: int = 0, classes: int = 0) -> "UNet2DModel":
    """A `diffusers.UNet2DModel` for pictures of `shape` (C, H, W), with initial weights from `seed`.

    classes: how many it is told of, each by an embedding that is added to the noise level's; 0: it is unconditional.
    Raises RequestError where the picture cannot be halved as often as the network has levels, where the groups of the
    normalisation do not divide a width, or where a block type is unknown.
    """
    from diffusers import UNet2DModel

    down, up = block_types(options)
    check(options, shape, down, up)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "denoiser", "initial weights"))
        return UNet2DModel(
            sample_size=shape[1] if shape[1] == shape[2] else shape[1:],
            in_channels=shape[0],
            out_channels=shape[0],
            down_block_types=down,
            up_block_types=up,
            num_class_embeds=classes or None,
            **options.model_dump(exclude={"down_block_types", "up_block_types"}),
        )


def block_types(options: UNetOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The block of each level, down and up; unless said otherwise only the smallest resolution attends."""
    levels = len(options.block_out_channels)
    down = options.down_block_types or ("DownBlock2D",) * (levels - 1) + ("AttnDownBlock2D",)
    up = options.up_block_types or tuple(block.replace("Down", "Up") for block in reversed(down))
    return down, up


def check(options: UNetOptions, shape: tuple[int, int, int], down: tuple[str, ...], up: tuple[str, ...]) -> None:
    """Refuse what the network could not be built or run with."""
    levels, groups = len(options.block_out_channels), options.norm_num_groups
    for kind, blocks, legal in (("down", down, DOWN_BLOCKS), ("up", up, UP_BLOCKS)):
        if len(blocks) != levels:
            raise RequestError(
                f"denoiser.{kind}_block_types names {len(blocks)} blocks for the {levels} levels of block_out_channels"
                f" = {list(options.block_out_channels)}; name one block a level."
            )
        for block in blocks:
            if block not in legal:
                raise unknown(f"{kind} block", block, legal)
    halvings = 2 ** (levels - 1)
    if shape[1] % halvings or shape[2] % halvings:
        raise RequestError(
            f"pictures of {shape[1]}×{shape[2]} cannot be halved {levels - 1} times, as a U-Net with {levels} levels "
            f"does; set stream.size to a multiple of {halvings} or shorten denoiser.block_out_channels."
        )
    for width in options.block_out_channels:
        if width % groups:
            raise RequestError(
                f"denoiser.norm_num_groups = {groups} does not divide the width {width} in block_out_channels = "
                f"{list(options.block_out_channels)}; choose groups that divide every width."
            )


def parameter_count(network: torch.nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())
