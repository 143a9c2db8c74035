"""How often a classifier is right, over all test pictures and over parts of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from palimpsest.evaluation.pictures import Pictures, in_parts


@dataclass(frozen=True)
class Predictions:
    """What a classifier says about some test pictures. predicted, true: class numbers, int64 (N,), on the CPU."""

    predicted: Tensor
    true: Tensor

    def accuracy(self, classes: Sequence[int] | None = None) -> float | None:
        """Share of the pictures (of these classes) whose class is predicted rightly; None where there are none.

        Unit: share of test pictures, 0 to 1.  Direction: higher.  The classifier chooses among all classes of the
        stream, not only among these.
        """
        right = self.predicted == self.true
        if classes is not None:
            right = right[torch.isin(self.true, torch.tensor(list(classes), dtype=torch.int64))]
        return float(right.double().mean()) if len(right) else None


@torch.no_grad()
def predict(
    logits: Callable[[Tensor], Iterable[Tensor]], pictures: Pictures, device: torch.device | str
) -> tuple[Predictions, ...]:
    """What each of several classifiers takes for the likeliest class of each picture.

    logits: of pictures (B, C, H, W) in [-1, 1], (B, classes) of each classifier.
    """
    rows = in_parts(pictures) or (torch.zeros(0, dtype=torch.int64),)
    parts = (pictures.take(some)[0].to(device) for some in rows)
    said = [[each.argmax(dim=1).cpu() for each in logits(x)] for x in parts]
    return tuple(Predictions(torch.cat(each), pictures.labels.cpu()) for each in zip(*said, strict=True))


def together(parts: Sequence[Predictions]) -> Predictions:
    """What was said about several sets of pictures as about one."""
    return Predictions(torch.cat([part.predicted for part in parts]), torch.cat([part.true for part in parts]))
