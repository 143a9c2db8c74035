"""Targets of classifiers whose classes arrive one after another: iCaRL's and LUCIR's."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, class_numbers
from palimpsest.core.term import IMAGES, LABELS
from palimpsest.models.classifier import outside
from palimpsest.targets.labels import needs_of


@dataclass(frozen=True)
class Margin:
    """Pictures of old classes lie nearer to their own class than to new ones (Hou et al. 2019, LUCIR, eq. 8).

    The mean, over the batch's pictures of old classes and the K new classes that each lies nearest to, of
    max(0, m − cos(θ_y, f) + cos(θ_k, f)); 0 without such pictures.

    old, new: class numbers.  count: K, or all new classes where they are fewer.  margin: m.
    head: "cosines", of pictures, or "judged_cosines", of features.
    """

    old: tuple[int, ...]
    new: tuple[int, ...]
    count: int = 2
    margin: float = 0.5
    head: str = "cosines"
    name: ClassVar[str] = "margin"
    kind: ClassVar[str] = "margin"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise RequestError(f"the margin is held to {self.count} new classes; give a number from 1.")
        if not 0 <= self.margin <= 2:
            raise RequestError(f"the margin is {self.margin:g}, and it is between cosines: from 0 to 2.")

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.head)

    @property
    def exists(self) -> bool:
        return bool(self.old and self.new)

    def answer(self, question: Images) -> Tensor:
        return question.y

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        """(B,), whose mean over the global batch is the mean over its pictures of old classes."""
        own = said.gather(1, wanted[:, None])
        others = said[:, class_numbers(self.new, said.device)].topk(min(self.count, len(self.new)), dim=1).values
        losses = (self.margin - own + others).relu().mean(1)
        old = ~outside(said.shape[1], self.old, said.device)  # by class
        everyone = wanted if question.everyone is None else question.everyone
        return losses * old[wanted] * question.total / old[everyone].sum().clamp(min=1)


@dataclass(frozen=True)
class Sigmoids:
    """Each class by itself, there or not; of classes that a teacher knows, how likely it thought that (Rebuffi et al. 2017, iCaRL).

    −mean_c [ t_c ln σ(z_c) + (1 − t_c) ln(1 − σ(z_c)) ],  t_c = σ(z_c of the teacher) for a class that it knows, else 1(y = c).
    The mean is over the outputs that there are: of a head that grows those of classes that have arrived, of a fixed one all, as
    in the published code.

    teacher: None before there is one.  classes: those that it knows.
    """

    teacher: nn.Module | None
    classes: tuple[int, ...] = ()
    name: ClassVar[str] = "sigmoids"
    head: ClassVar[str] = "logits"
    needs: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS})
    exists: ClassVar[bool] = True
    kind: ClassVar[str] = "both"

    def answer(self, question: Images) -> Tensor:
        """t, float (B, classes that the teacher knows); the others' follow from the label."""
        if self.teacher is None or not self.classes:
            return question.x.new_zeros(len(question), 0)
        logits = self.teacher({"logits": question})["logits"]
        return logits[:, class_numbers(self.classes, logits.device)].sigmoid()

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        truth = torch.zeros_like(said).scatter_(1, question.y[:, None], 1.0)  # one_hot would wait for the device
        if self.classes and wanted.shape[1]:
            truth[:, class_numbers(self.classes, said.device)] = wanted.to(said.dtype)
        arrived = ~said.isneginf()
        said = said.masked_fill(~arrived, 0.0)
        losses = functional.binary_cross_entropy_with_logits(said, truth, reduction="none") * arrived
        return losses.sum(1) / arrived.sum(1)
