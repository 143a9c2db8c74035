"""Where a run stands: the place, the learners, the past, and the work in hand."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RunError
from palimpsest.learning.devices import Machine
from palimpsest.learning.meter import Meter
from palimpsest.learning.past import Past
from palimpsest.learning.teacher import Teacher
from palimpsest.learning.work import Work
from palimpsest.sources.kept import Kept
from palimpsest.sources.refreshed import Held


@dataclass
class Cost:
    """What training has cost, all processes together. Passes count pictures × forwards; a backward counts 2 forwards.

    A pass through half a network counts for a part of one, so that sums are fractions until they are written down.
    """

    student_passes: float = 0
    teacher_passes: float = 0
    seconds: float = 0.0
    peak_memory_bytes: int = 0

    @property
    def whole(self) -> dict[str, float]:
        """For results.json: passes in whole numbers."""
        return asdict(self) | {name: round(getattr(self, name)) for name in ("student_passes", "teacher_passes")}


@dataclass
class Progress:
    """Everything that changes in a run; `learning.state` turns it into a checkpoint and back.

    task, phase: numbers of those in hand, from 1 and from 0.  step: steps done in the phase, of `steps`.
    trained: the task's phases are done, and its measures are not taken yet.
    seen: optimizer steps of the task so far, and rows of training data in them, real ones and those that stand in for real ones.
    averaged: learners with averaged weights, where training.average asks for them.
    beside: the learner that is trained beside the strategy's own, "" where there is none; beside_cost: what it costs.
    training: the learner in training, "" between phases.
    hand: what tells the phase in hand from others, see `hand_of`; nothing between phases.
    finished: the learners of this task's earlier phases, with what those left behind for a strategy that asks.
    carried: states of works that the next phase goes on with, or the next task where training.keep_optimizer_state asks
        for it.
    pools: what the phase in hand replays from, by the name of the source.
    pending: the state of the work and the pools in hand, from a checkpoint, until that work begins again.
    """

    learners: dict[str, nn.Module]
    past: Past
    machine: Machine
    task: int = 1
    phase: int = 0
    step: int = 0
    steps: int = 0
    trained: bool = False
    seen: dict[str, int] = field(default_factory=dict)
    task_seconds: float = 0.0
    beside: str = ""
    training: str = ""
    hand: dict[str, Any] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    beside_cost: Cost = field(default_factory=Cost)
    averaged: dict[str, nn.Module] = field(default_factory=dict)
    finished: list[tuple[str, Teacher]] = field(default_factory=list)
    carried: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    pools: dict[str, Kept | Held] = field(default_factory=dict)
    pending: dict[str, Tensor] = field(default_factory=dict)
    work: Work | None = None
    meter: Meter | None = None

    @property
    def best(self) -> dict[str, nn.Module]:
        """The learners to be used: averaged where there is an average."""
        return self.learners | self.averaged

    @property
    def teachers(self) -> list[nn.Module]:
        """All frozen learners that may be asked in this task."""
        known = (*self.past.teachers.values(), *(teacher for _, teacher in self.finished))
        both = (network for teacher in known for network in (teacher.learner, teacher.averaged))
        return [network for network in both if network is not None]

    @property
    def is_beside(self) -> bool:
        """Whether the learner in training is the one beside the strategy's own."""
        return bool(self.training) and self.training == self.beside

    @property
    def spending(self) -> Cost:
        """The cost that the work in hand adds to."""
        return self.beside_cost if self.is_beside else self.cost

    @property
    def place(self) -> str:
        """Where the work is, in words."""
        return f"task {self.task}, phase {self.phase + 1}" if self.phase else f"task {self.task}"

    def check(self) -> None:
        """Raise RunError for a loss or a weight that is not a finite number. It reads the device once."""
        if self.meter:
            self.meter.check(self.place)
        for name, learner in self.best.items():
            if not torch.stack([parameter.isfinite().all() for parameter in learner.parameters()]).all():
                raise RunError(
                    f"{self.place}, step {self.step}: the {name} has weights that are not finite numbers; the last good "
                    "checkpoint is kept. Lower training.learning_rate, set training.clip_norm, or use --precision fp32."
                )

    def settle(self) -> None:
        """Sum what the learners were asked since the last call, over processes, into the cost. All call it together."""
        cost = self.spending
        if self.work:
            cost.student_passes += 3 * self.machine.sum(taken([self.work.learner]))
        cost.teacher_passes += self.machine.sum(taken(self.teachers))
        cost.peak_memory_bytes = max(cost.peak_memory_bytes, self.machine.peak_memory())


def taken(learners: list[nn.Module]) -> float:
    """The pictures that learners were asked about since they were last counted; the count begins anew."""
    passes = sum(learner.passes for learner in learners)
    for learner in learners:
        learner.passes = 0
    return passes
