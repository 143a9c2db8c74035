"""diffusers' blocks, kept channels last on their way.

diffusers turns pictures to the contiguous layout before it upsamples batches of 64 and more (diffusers issue 984), and in
training before each shortcut's convolution (issue 12975). Each turn moves every number, and all layers up to the next
convolution run in the slower layout. Neither is needed where the weights are channels last. What is computed is the same.
"""

from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional

LARGEST = 2**31  # numbers, of which torch upsamples fewer in channels last


class Upsample(Upsample2D):
    """Twice as high and wide by repetition, then convolved."""

    def forward(self, hidden_states: Tensor, output_size: tuple[int, int] | None = None) -> Tensor:
        """hidden_states: (B, C, H, W). output_size: another one than (2H, 2W)."""
        rows, channels, height, width = hidden_states.shape
        size = output_size or (2 * height, 2 * width)
        if rows * channels * size[0] * size[1] >= LARGEST:
            return super().forward(hidden_states, output_size)
        return self.conv(functional.interpolate(hidden_states, size, mode="nearest"))


class ResnetBlock(ResnetBlock2D):
    """Two convolutions beside a shortcut, told of the noise level between them."""

    def forward(self, input_tensor: Tensor, temb: Tensor | None) -> Tensor:
        """input_tensor: (B, C, H, W). temb: embedding of the noise level (B, E)."""
        inner = self.conv1(self.nonlinearity(self.norm1(input_tensor)))
        if self.time_emb_proj is not None:
            inner = inner + self.time_emb_proj(self.nonlinearity(temb))[:, :, None, None]
        inner = self.conv2(self.dropout(self.nonlinearity(self.norm2(inner))))
        made = inner + (input_tensor if self.conv_shortcut is None else self.conv_shortcut(input_tensor))
        return made if self.output_scale_factor == 1 else made / self.output_scale_factor


def keep_channels_last(network: nn.Module) -> None:
    """Turn those of its blocks, in place, that do what is written above. They keep their weights, and their names."""
    for module in network.modules():
        if type(module) is Upsample2D and plain_upsampling(module):
            module.__class__ = Upsample
        elif type(module) is ResnetBlock2D and plain_block(module):
            module.__class__ = ResnetBlock


def plain_upsampling(module: Upsample2D) -> bool:
    """Whether it is nearest neighbours and a convolution called `conv`."""
    named = module.use_conv and module.name == "conv"
    return named and module.interpolate and module.norm is None and not module.use_conv_transpose


def plain_block(module: ResnetBlock2D) -> bool:
    """Whether it neither changes the size nor scales by the noise level."""
    resizing = module.upsample is not None or module.downsample is not None
    return not resizing and module.time_embedding_norm == "default" and not module.skip_time_act
