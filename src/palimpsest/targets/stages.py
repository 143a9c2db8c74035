"""PODNet's targets: where the previous classifier saw something in its stages, and classes apart from each other."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from palimpsest.core.images import Images
from palimpsest.core.term import IMAGES
from palimpsest.targets.labels import needs_of


class Once:
    """A frozen classifier that is asked once about the same pictures, whatever several targets want to know of them."""

    def __init__(self, teacher: nn.Module) -> None:
        self.teacher = teacher
        self.last: tuple[Tensor, tuple[Tensor, Tensor]] | None = None

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As the classifier's."""
        if self.last is None or self.last[0] is not x:
            self.last = (x, self.teacher.look(x))
        return self.last[1]

    def features(self, x: Tensor) -> Tensor:
        """As the classifier's."""
        return self.look(x)[0]


@dataclass(frozen=True)
class TaughtStages:
    """Where a frozen classifier sees something in the same pictures: POD-spatial (Douillard et al. 2020, PODNet).

    mean_s ‖ p_s(x) − p_s(x)_teacher ‖₂ with p_s the profile of stage s, see `models.stages.profiles`. That it is the mean over stages,
    and not their sum, is not in our notes on the published code.
    """

    teacher: Once | None
    name: str = "teacher.stages"
    head: ClassVar[str] = "stages"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES})
    kind: ClassVar[str] = "distillation"

    @property
    def exists(self) -> bool:
        return self.teacher is not None

    def answer(self, question: Images) -> Tensor:
        return self.teacher.look(question.x)[1]

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        return (said - wanted).norm(dim=2).mean(1)


@dataclass(frozen=True)
class Apart:
    """The class apart from all others by a margin: the loss of PODNet, after neighbourhood component analysis.

    max(0, −η (s_y − δ) + ln Σ_{c ≠ y} exp(η s_c)), with logits η s_c: the own class is not among those that it is compared with.
    η learns from the logits alone. Through η δ it would learn to be negative, for that costs less than to tell classes apart.

    learner: that is being trained, whose scale is η.  margin: δ.
    clamp: never below 0, which without it lets η grow for ever.
    head: "logits", of pictures, or "judged", of features.
    """

    learner: nn.Module
    margin: float = 0.6
    clamp: bool = True
    head: str = "logits"
    name: ClassVar[str] = "label apart"
    exists: ClassVar[bool] = True
    kind: ClassVar[str] = "classification"

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.head)

    def answer(self, question: Images) -> Tensor:
        return question.y

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        own = said.gather(1, wanted[:, None])
        others = said.scatter(1, wanted[:, None], -torch.inf).logsumexp(1)
        losses = self.learner.network.head.scale.detach() * self.margin - own[:, 0] + others
        return losses.relu() if self.clamp else losses
