"""PODNet's targets: where the previous classifier saw something in its stages, and the label by neighbourhood components."""

from dataclasses import dataclass
from typing import ClassVar

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

    mean_s ‖ p_s(x) − p_s(x)_teacher ‖₂ with p_s the profile of stage s, see `models.stages.profiles`.
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
class NeighbourhoodComponents:
    """The label by the loss of PODNet, after neighbourhood component analysis (Douillard et al. 2020, its code).

    −s_y + ln ( exp(max_c s_c) + Σ_{c ≠ y} exp(s_c) ), of logits s_c.

    Cross-entropy where the own class is the likeliest, and more where it is not. The paper's margin does not stand in it: the code
    takes it away from all logits, and it cancels.

    head: "logits", of pictures, or "judged", of features.
    """

    head: str = "logits"
    name: ClassVar[str] = "label by nca"
    exists: ClassVar[bool] = True
    kind: ClassVar[str] = "classification"

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.head)

    def answer(self, question: Images) -> Tensor:
        return question.y

    def distance(self, said: Tensor, wanted: Tensor, question: Images) -> Tensor:
        own = wanted[:, None]
        compared = said.scatter(1, own, said.amax(1, keepdim=True))
        return compared.logsumexp(1) - said.gather(1, own)[:, 0]
