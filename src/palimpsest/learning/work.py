"""A learner in training: the student, its optimizer, the average of its weights."""

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

import torch
from torch import Tensor, nn

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.random import Address, seed_of
from palimpsest.core.term import Phase
from palimpsest.learning.devices import Machine
from palimpsest.learning.options import TrainingOptions
from palimpsest.models.averaging import Average


@dataclass(frozen=True)
class Descent:
    """How a phase descends: the steps `first` to `last` of `total`, which it alone or several phases take together."""

    options: TrainingOptions
    first: int
    last: int
    total: int

    @classmethod
    def of(cls, phase: Phase, options: TrainingOptions, pictures: int) -> "Descent":
        """That of a phase over so many real pictures."""
        if phase.steps or phase.epochs:
            options = options.model_copy(update={"steps": phase.steps, "epochs": phase.epochs})
        own = {"schedule": phase.schedule} if phase.schedule else {}
        if phase.milestones:
            own = {"schedule": "step", "milestones": phase.milestones}
        options = options.model_copy(update={"learning_rate": options.learning_rate * phase.rate} | own)
        total = options.steps or options.epochs * math.ceil(pictures / options.batch)
        first, last = (round(total * edge) for edge in phase.span)
        return cls(options, first, last, total)

    @property
    def steps(self) -> int:
        """Those of the phase."""
        return self.last - self.first


class Work:
    """What changes while a phase is trained, and nothing else."""

    def __init__(
        self, learner: nn.Module, phase: Phase, descent: Descent, machine: Machine, resumed: bool = False
    ) -> None:
        self.learner, self.descent, self.options, self.machine = learner, descent, descent.options, machine
        if phase.start is not None and phase.start.exists and not resumed:
            learner.load_state_dict(phase.start.learner.state_dict())
        freeze(learner, phase.freeze)
        self.names = [name for name, parameter in learner.named_parameters() if parameter.requires_grad]
        self.trained = [parameter for parameter in learner.parameters() if parameter.requires_grad]
        self.optimizer = make_optimizer(self.trained, self.options)
        self.average = Average(learner, self.options.average) if self.options.average else None
        if self.options.keep_average and (before := getattr(phase.start, "averaged", None)) is not None:
            self.average.go_on_from(before)
        self.student = machine.wrapped(learner.train(not phase.in_evaluation))

    def descend(self, loss: Tensor, step: int) -> None:
        """One step down the gradient of the loss, the phase's `step`-th. Nothing is read back from the device."""
        loss.backward()
        if self.options.clip_norm:
            nn.utils.clip_grad_norm_(self.trained, self.options.clip_norm, foreach=True)
        step += self.descent.first
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.options, step / self.descent.total, step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            self.average.update(self.learner)

    def averaged(self) -> nn.Module:
        """A copy of the learner with the averaged weights."""
        return self.average.copy_to(copy.deepcopy(self.learner).eval().requires_grad_(False))

    def optimizer_state(self) -> dict[str, Tensor]:
        """The optimizer's tensors, by the name of the parameter and of the tensor."""
        return {
            f"{self.names[number]}.{name}": tensor
            for number, state in self.optimizer.state_dict()["state"].items()
            for name, tensor in state.items()
            if isinstance(tensor, Tensor)
        }

    def load_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        """Give the optimizer the state that `optimizer_state` took, as far as the same parameters are trained."""
        state: dict[int, dict[str, Tensor]] = {}
        numbers = {name: number for number, name in enumerate(self.names)}
        for place, tensor in tensors.items():
            parameter, name = place.rsplit(".", 1)
            if parameter in numbers:
                number = numbers[parameter]
                state.setdefault(number, {})[name] = laid_out_like(self.trained[number], tensor)
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed phase needs beside the learner's weights."""
        average = self.average.state() if self.average else {}
        return {f"optimizer.{name}": tensor for name, tensor in self.optimizer_state().items()} | {
            f"average.{name}": tensor for name, tensor in average.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        self.load_optimizer(below(state, "optimizer."))
        if self.average:
            self.average.load(below(state, "average."))


def laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The tensor in its parameter's memory layout, for a fused optimizer walks through the memory of both alike."""
    return torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def freeze(learner: nn.Module, patterns: tuple[str, ...]) -> None:
    """Let only the parameters learn whose name matches no pattern; a pattern without a match is refused."""
    names = [name for name, _ in learner.named_parameters()]
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in names):
            raise RequestError(f'nothing to freeze is called "{pattern}"; names look like {", ".join(names[:3])}.')
    for name, parameter in learner.named_parameters():
        parameter.requires_grad_(not any(fnmatch(name, pattern) for pattern in patterns))


def make_optimizer(parameters: list[nn.Parameter], options: TrainingOptions) -> torch.optim.Optimizer:
    """The optimizer that the experiment names."""
    shared = {"lr": options.learning_rate, "weight_decay": options.weight_decay}
    if options.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=options.momentum, **shared)
    kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, fused=True, betas=options.betas, **shared)


def learning_rate(options: TrainingOptions, progress: float, step: int) -> float:
    """The rate at a step, as a function of the step alone: nothing to save. `progress` is step / steps of the phase."""
    rate = options.learning_rate
    if options.schedule == "step":
        return rate * options.decay ** sum(progress >= milestone for milestone in options.milestones)
    if options.schedule in ("warmup", "cosine") and step < options.warmup_steps:
        return rate * (step + 1) / options.warmup_steps
    return rate * 0.5 * (1 + math.cos(math.pi * progress)) if options.schedule == "cosine" else rate


def batches(descent: Descent, pictures: int, address: Address, machine: Machine, first: int) -> Iterator[Batch]:
    """The global batches of a phase from step `first` on: whole ones by steps; by epochs, the last of each is short."""
    options = descent.options
    per_epoch = math.ceil(pictures / options.batch)
    for step in range(first, descent.steps):
        start, size = step * options.batch, options.batch
        if options.epochs:
            epoch, place = divmod(step, per_epoch)
            start = epoch * pictures + place * options.batch
            size = min(options.batch, pictures - place * options.batch)
        yield Batch(
            size,
            start,
            (*address, step),
            machine.device,
            machine.rank,
            machine.world,
            whole=options.batch,
            steps=descent.steps,
            epoch=per_epoch if options.epochs and pictures % options.batch else 0,
            ahead=machine.ahead,
        )


def seed_network(batch: Batch) -> None:
    """Dropout's randomness: torch's own generators, set from the step's address just before the student's forward.

    Those of the CPU and of the batch's device. `torch.manual_seed` also sets those of devices that are not there, and writes down the
    call stack for each of them in every step.
    """
    seed = seed_of(*batch.address, "network", batch.rank)
    torch.default_generator.manual_seed(seed)
    device = torch.device(batch.device)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(seed)
