"""The small convolutional classifier that learns beside a generator."""

from torch import Tensor, nn

from palimpsest.core.errors import RequestError

WIDTH = 128  # of the features
ENDS = (2, 8, 12)  # the last convolution before each pooling, by its place in the body


class CNN(nn.Module):
    """The classifier of arXiv 2311.14028, table A.1, with the paddings of its published code.

    Pictures float (B, C, H, W) in [-1, 1] to logits (B, classes). 119,722 parameters for one channel and ten classes,
    120,298 for three. The second pooling is left out where nothing would remain to be pooled (8×8 pictures).
    signed: features may be negative, for the last ReLU is left out.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, dropout: float = 0.25, signed: bool = False) -> None:
        super().__init__()
        channels, height, width = shape
        left = (min(height, width) - 2) // 2 - 2  # after each unpadded convolution, with a pooling between them
        if left < 1:
            raise RequestError(
                f"the classifier's network needs pictures of 8×8 or more, and these are {height}×{width}; "
                "leave it out with --set classifier.strategy=none."
            )
        self.body = nn.Sequential(
            *convolution(channels, 32, padding=1),
            *convolution(32, 32),
            nn.MaxPool2d(2),
            nn.Dropout(dropout),
            *convolution(32, 64, padding=1),
            *convolution(64, 128),
            nn.MaxPool2d(2) if left > 1 else nn.Identity(),
            nn.Dropout(dropout),
            nn.Conv2d(128, WIDTH, 1),
            nn.Identity() if signed else nn.ReLU(),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(WIDTH, classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, 128), ≥ 0 unless signed. The pooling over places is a maximum, which is defined for no pictures, too."""
        return self.look(x)[0]

    def look(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The features, and what the last convolution before each pooling gives, before its ReLU, (B, channels, H, W) each."""
        stages = []
        for number, layer in enumerate(self.body):
            x = layer(x)
            if number in ENDS:
                stages.append(x)
        return x.amax(dim=(2, 3)), stages

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, classes) from features (B, 128)."""
        return self.head(self.dropout(features))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes)."""
        return self.classify(self.features(x))


def convolution(inputs: int, outputs: int, padding: int = 0) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=padding), nn.ReLU()]
