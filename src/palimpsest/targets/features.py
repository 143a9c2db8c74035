"""Targets about features: a teacher's, a generator's, and a learner's own losses."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.images import Images
from palimpsest.core.term import CODES, FEATURES, IMAGES, LABELS


@dataclass(frozen=True)
class TaughtFeatures:
    """What a frozen classifier sees in the same pictures: ‖F_θ(x) − F_teacher(x)‖₂ (arXiv 2004.09199).

    direction: only where it points to, 1 − cos(F_θ(x), F_teacher(x)): less-forget (Hou et al. 2019, LUCIR, eq. 6).
    """

    teacher: nn.Module | None
    direction: bool = False
    name: str = "teacher.features"
    head: ClassVar[str] = "features"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES})
    kind: ClassVar[str] = "distillation"

    @property
    def exists(self) -> bool:
        return self.teacher is not None

    def answer(self, question: Images) -> Tensor:
        return self.teacher.features(question.x)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        if self.direction:
            return 1 - functional.cosine_similarity(said, wanted, dim=1)
        return (said - wanted).norm(dim=1)


@dataclass(frozen=True)
class MadeFeatures:
    """What a frozen generator makes of the same codes: ‖G_θ(z, y) − G_teacher(z, y)‖² (arXiv 2004.09199)."""

    teacher: nn.Module | None
    name: str = "teacher.made"
    head: ClassVar[str] = "made"
    needs: ClassVar[frozenset[str]] = frozenset({CODES, LABELS})

    @property
    def exists(self) -> bool:
        return self.teacher is not None

    def answer(self, question: Images) -> Tensor:
        return self.teacher.make(question.x, question.y)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        return (said - wanted).square().sum(1)


@dataclass(frozen=True)
class OwnLoss:
    """A loss that the learner's own head answers with, for each sample: that of a critic, or of its generator."""

    head: str
    needs: ClassVar[frozenset[str]] = frozenset({FEATURES, LABELS})
    exists: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.head

    def answer(self, question: Images) -> Tensor:
        return torch.zeros(len(question), device=question.x.device)

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        return said
