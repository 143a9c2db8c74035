"""Dreams that depend on a learner in training: drawn anew every so many steps, and used as they are in between."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.sources.dreams import Dreams


@dataclass
class Held:
    """The batch in use. It is part of a checkpoint, for the learner that it was drawn by has moved on.

    x: (B, C, H, W), y: int64 (B,), of all processes.  step: of the phase, at which they were drawn.
    """

    x: Tensor | None = None
    y: Tensor | None = None
    step: int = -1

    def state(self) -> dict[str, Tensor]:
        """As tensors, for a checkpoint."""
        return {} if self.x is None else {"x": self.x, "y": self.y, "step": torch.tensor(self.step)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        self.x, self.y, self.step = state["x"], state["y"], int(state["step"])


@dataclass(frozen=True)
class Refreshed:
    """Dreams whose guide is in training (GUIDE, arXiv 2403.03938). Never drawn ahead.

    every: steps that a batch of them is used, the first of them included.
    """

    dreams: Dreams
    every: int = 1
    kept: Held = field(default_factory=Held, init=False, compare=False, repr=False)
    is_synthetic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.every < 1:
            raise RequestError(f"dreams are to be refreshed every {self.every} steps; give a number from 1.")

    @property
    def name(self) -> str:
        return self.dreams.name

    @property
    def gives(self) -> frozenset[str]:
        return self.dreams.gives

    @property
    def exists(self) -> bool:
        return self.dreams.exists

    @property
    def classes(self) -> tuple[int, ...] | None:
        """Those that are dreamt of."""
        return self.dreams.classes

    def is_due(self, step: int) -> bool:
        """Whether a new batch is to be drawn for this step of the phase."""
        return self.kept.step < 0 or step // self.every != self.kept.step // self.every

    @torch.no_grad()
    def renewed(self, batch: Batch) -> tuple[Tensor, ...]:
        """This process's rows of a new batch, always a whole one, and their classes."""
        return self.dreams.sample(batch.random(self.name), batch.rows)

    def draw(self, batch: Batch) -> Images:
        """The rows of the batch in use."""
        x, y = (tensor[: batch.size][batch.mine] for tensor in (self.kept.x, self.kept.y))
        return Images(x, y, total=batch.size)

    def pictures(self, batch: Batch) -> Images:
        """New samples, guided by the learner as it is."""
        return self.dreams.pictures(batch)
