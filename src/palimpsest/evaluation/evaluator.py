"""The evaluator: a classifier of the stream's own classes, whose features and labels the measures are made of."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from palimpsest.evaluation.options import EvaluatorOptions
from palimpsest.evaluation.pictures import Pictures, in_parts
from palimpsest.models.resnet import resnet18

BATCH = 500  # fixed, because a network's bits depend on its batch size


class SmallCNN(nn.Module):
    """A small classifier of square or other pictures (B, channels, *size) in [-1, 1].

    One 3×3 convolution at full size and one after each halving down to at most 4 pixels, then a layer of `features`
    numbers. These are the features: before their ReLU, because the Fréchet distance models them as a Gaussian, and
    without a normalisation of their own, which would bring pure noise nearer to real pictures than one class alone is.
    """

    def __init__(self, channels: int, classes: int, features: int = 32, size: tuple[int, int] = (8, 8)) -> None:
        super().__init__()
        height, width = size
        layers = [*convolution(channels, 32)]
        wide = 32
        while max(height, width) > 4:
            layers += [nn.MaxPool2d(2, ceil_mode=True), *convolution(wide, 64)]
            height, width, wide = -(-height // 2), -(-width // 2), 64
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.narrow = nn.Linear(wide * height * width, features)
        self.head = nn.Linear(features, classes)

    def features(self, x: Tensor) -> Tensor:
        """float (B, features)."""
        return self.narrow(self.body(x))

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, classes) from features."""
        return self.head(features.relu())

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes)."""
        return self.classify(self.features(x))


def convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def build_network(options: EvaluatorOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The network of a recipe for pictures of `shape` (C, H, W); resnet18 sees gray as three equal channels."""
    channels, height, width = shape
    if options.kind == "resnet18":
        return resnet18(classes, 3 if channels == 1 else channels)
    return SmallCNN(channels, classes, options.features, (height, width))


@dataclass(frozen=True)
class Evaluator:
    """A trained classifier that measures samples.

    module: has `features(x)` and `classify(features)`.  name and sha256 (of the bytes of its weights file) stand in
    results.json as the extractor.  accuracy: share of the stream's test pictures that it labels rightly.
    """

    module: nn.Module
    name: str
    sha256: str
    accuracy: float

    @property
    def record(self) -> dict[str, str | float]:
        """What results.json says of the extractor."""
        return {"name": self.name, "sha256": self.sha256, "accuracy": self.accuracy}

    def on(self, device: torch.device | str) -> "Evaluator":
        """This evaluator with its network on `device`."""
        return replace(self, module=self.module.to(device))

    @torch.inference_mode()
    def answer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features float32 (N, D) and classes int64 (N,), both on the CPU, of pictures (N, C, H, W) in [-1, 1]."""
        self.module.eval()
        device = next(self.module.parameters()).device
        features, labels = [], []
        for part in x.split(BATCH):
            found = self.module.features(part.to(device, torch.float32))
            features.append(found.cpu())
            labels.append(self.module.classify(found).argmax(dim=1).cpu())
        return torch.cat(features), torch.cat(labels)

    def features(self, x: Tensor) -> Tensor:
        """Features float32 (N, D) of pictures (N, C, H, W) in [-1, 1]."""
        return self.answer(x)[0]

    def labels(self, x: Tensor) -> Tensor:
        """The most likely class of each picture, int64 (N,)."""
        return self.answer(x)[1]


def measure_accuracy(evaluator: Evaluator, pictures: Pictures, rows: Tensor | None = None) -> float:
    """Share of the pictures (of `rows`, if given) that the evaluator labels rightly, 0 to 1; higher is better."""
    right, parts = 0, in_parts(pictures) if rows is None else rows.split(2000)
    for part in parts:
        x, y = pictures.take(part)
        right += int((evaluator.labels(x) == y.cpu()).sum())
    return right / (len(pictures) if rows is None else len(rows))
