"""Targets of the head `noise`: the noise that was added, or what a teacher takes it for."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from palimpsest.core.images import Noised
from palimpsest.core.term import TRUE_NOISE
from palimpsest.diffusion.denoiser import Denoiser


def squared_error(said: Tensor, wanted: Tensor, question: Noised) -> Tensor:
    """Mean over the elements of each sample of (said − wanted)², (B,), times the question's weight where it has one."""
    loss = (said - wanted).square().flatten(1).mean(1)
    return loss if question.weight is None else loss * question.weight


@dataclass(frozen=True)
class TrueNoise:
    """The noise that was added: ‖ε − ε_θ(x_t, t)‖² (Ho et al. 2020, eq. 14)."""

    name: ClassVar[str] = "true_noise"
    head: ClassVar[str] = "noise"
    needs: ClassVar[frozenset[str]] = frozenset({TRUE_NOISE})
    exists: ClassVar[bool] = True
    distance = staticmethod(squared_error)

    def answer(self, question: Noised) -> Tensor:
        return question.noise


@dataclass(frozen=True)
class TaughtNoise:
    """What a frozen denoiser predicts: ‖ε_teacher(x_t, t) − ε_θ(x_t, t)‖² (2311.14028, alg. 1).

    teacher: None before there is one. Inputs that already carry this teacher's answer are not asked about again.
    """

    teacher: Denoiser | None
    name: str = "teacher.noise"
    head: ClassVar[str] = "noise"
    needs: ClassVar[frozenset[str]] = frozenset()
    distance = staticmethod(squared_error)

    @property
    def exists(self) -> bool:
        return self.teacher is not None

    def answer(self, question: Noised) -> Tensor:
        if self.teacher in question.answers:
            return question.answers[self.teacher]
        return self.teacher.noise(question.x_t, question.t, question.y if self.teacher.conditional else None)


true_noise = TrueNoise()
