"""Residual networks that classify pictures, He et al. 2016 (arXiv 1512.03385)."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (arXiv 1512.03385, figure 5, left): relu(F(x) + shortcut(x)), or without the relu.

    Takes (B, inputs, H, W) and gives (B, outputs, H / stride, W / stride), rounded up. Where the shape changes, the
    shortcut is a 1×1 convolution (option B of section 4.1), else x itself.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.relu = relu
        self.residual = nn.Sequential(
            *convolution(inputs, outputs, 3, stride), nn.ReLU(inplace=True), *convolution(outputs, outputs, 3)
        )
        alike = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if alike else nn.Sequential(*convolution(inputs, outputs, 1, stride))

    def forward(self, x: Tensor, sums: list[Tensor] | None = None) -> Tensor:
        """sums: gets what there is before the relu."""
        x = self.residual(x) + self.shortcut(x)
        if sums is not None:
            sums.append(x)
        return x.relu() if self.relu else x


class ResNet(nn.Module):
    """A stem, stages of basic blocks, the mean over all places, and one linear layer.

    stem: (B, channels, H, W) to (B, widths[0], ...).  widths and depths: channels and number of blocks of each stage;
    every stage after the first halves height and width.  channels: gray pictures are copied to as many.
    signed: the last block ends without a relu, so that features may be negative.
    """

    def __init__(
        self,
        stem: nn.Module,
        widths: tuple[int, ...],
        depths: tuple[int, ...],
        classes: int,
        channels: int = 3,
        signed: bool = False,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stem = stem
        blocks, wide = [], widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for block in range(depth):
                last = stage == len(widths) - 1 and block == depth - 1
                blocks.append(BasicBlock(wide, width, 2 if stage and not block else 1, relu=not (last and signed)))
                wide = width
        self.stages = nn.Sequential(*blocks)
        self.ends = tuple(sum(depths[: stage + 1]) - 1 for stage in range(len(depths)))  # the last block of each stage
        self.head = nn.Linear(wide, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")  # arXiv 1502.01852, eq. 14

    def features(self, x: Tensor) -> Tensor:
        """float (B, widths[-1]), ≥ 0 unless signed, of pictures (B, channels or 1, H, W) in [-1, 1]."""
        return self.look(x)[0]

    def look(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The features, and what each stage gives before its last relu, (B, width, H, W) each.

        While it trains, one picture alone is normalised by the running statistics: it has none of a batch, and none at all
        where the last stages have shrunk it to 1×1.
        """
        if self.training and len(x) == 1:
            with running_statistics(self):
                return self.walk(x)
        return self.walk(x)

    def walk(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `look`, by the statistics that the layers are set to."""
        x = self.stem(x.expand(-1, self.channels, -1, -1) if x.shape[1] == 1 else x)
        stages = []
        for number, block in enumerate(self.stages):
            x = block(x, stages if number in self.ends else None)
        return x.mean(dim=(2, 3)), stages

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, classes) from features."""
        return self.head(features)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes)."""
        return self.classify(self.features(x))


def resnet18(classes: int, channels: int = 3, signed: bool = False) -> ResNet:
    """ResNet-18 (arXiv 1512.03385, table 1) with its 7×7 stem and max-pooling, as torchvision has it; 512 features.

    Takes pictures of any size from 8 pixels: what is smaller than 32 meets the last stages at 1×1.
    """
    stem = nn.Sequential(*convolution(channels, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1))
    return ResNet(stem, (64, 128, 256, 512), (2, 2, 2, 2), classes, channels, signed)


def small_resnet(depth: int, classes: int, channels: int = 3, signed: bool = False) -> ResNet:
    """ResNet-8, 20, 32, ... for 32×32 pictures (arXiv 1512.03385, section 4.2): 6n + 2 layers, 16, 32 and 64 channels, 64 features.

    The shortcuts that change the shape are convolutions, as in the networks of the class-incremental literature.
    """
    stem = nn.Sequential(*convolution(channels, 16, 3), nn.ReLU(inplace=True))
    return ResNet(stem, (16, 32, 64), ((depth - 2) // 6,) * 3, classes, channels, signed)


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps height and width but for its stride, and batch normalisation in place of a bias."""
    return [nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False), nn.BatchNorm2d(outputs)]


@contextmanager
def running_statistics(network: nn.Module) -> Iterator[None]:
    """In here, batch normalisation goes by its running statistics and leaves them as they are."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d) and layer.training]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()
