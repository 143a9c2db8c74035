"""What a run would cost on this machine, from a probe of a few steps."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from palimpsest.core.files import megabytes
from palimpsest.core.images import Noised
from palimpsest.core.term import Phase
from palimpsest.learning.continual import Plan, learn, open_task, turn_page
from palimpsest.learning.progress import Cost, Progress
from palimpsest.learning.train import pictures_of
from palimpsest.learning.work import phase_steps
from palimpsest.models.unet import parameter_count
from palimpsest.runs.assembly import Assembly, assemble
from palimpsest.runs.config import resolve
from palimpsest.runs.measuring import draw_samples
from palimpsest.runs.tables import read_experiment
from palimpsest.streams.stream import Task

WARM_UP = 2  # steps that are not counted
ENOUGH = 24  # counted steps of a probe
MOST_SECONDS = 4.0  # that a probe takes beyond the first counted step


@dataclass(frozen=True)
class Estimate:
    """What a run would cost. passes as in results.json; flops of all passes; seconds of training and of evaluation."""

    experiment: str
    strategy: str
    parameters: int
    steps: int
    student_passes: float
    teacher_passes: float
    flops: float
    memory_bytes: int
    training_seconds: float
    evaluation_seconds: float

    @property
    def hours(self) -> float:
        """All of it."""
        return (self.training_seconds + self.evaluation_seconds) / 3600

    def table(self) -> Table:
        """For people."""
        made = Table(title=f"{self.experiment}, {self.strategy}", title_justify="left", show_header=False, box=None)
        rows = {
            "parameters": f"{self.parameters:,}",
            "optimizer steps": f"{self.steps:,}",
            "student passes": f"{self.student_passes:,.0f} pictures (a backward counts 2)",
            "teacher passes": f"{self.teacher_passes:,.0f} pictures",
            "training FLOPs": f"{self.flops:.3g}",
            "peak memory": megabytes(self.memory_bytes),
            "training": f"{self.training_seconds / 3600:.3f} h ({self.training_seconds:,.0f} s)",
            "evaluation": f"{self.evaluation_seconds / 3600:.3f} h ({self.evaluation_seconds:,.0f} s)",
            "all": f"{self.hours:.3f} h",
        }
        for name, value in rows.items():
            made.add_row(name, value)
        return made


@dataclass
class Probe:
    """Stands in for a run: notes how long the steps of each phase take, and how many there would be.

    plan: the real one, which says how long a phase is.
    """

    plan: Plan
    progress: Progress
    steps: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def begin(self, phase: Phase) -> None:
        self.steps.append(phase_steps(self.plan.training, pictures_of(phase)))

    def after_step(self, pictures: int) -> None:
        self.progress.machine.synchronize()
        self.times.append(time.perf_counter())

    def save(self) -> None: ...

    def measure(self, task: Task, learners: Mapping[str, nn.Module]) -> None: ...


def estimate(
    experiment: str | Path | Mapping[str, Any] = "digits",
    *,
    strategy: str | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    set: Mapping[str, Any] | None = None,
    **options: Any,
) -> Estimate:
    """What `train` with the same arguments would cost here. Nothing is written."""
    tables = experiment if isinstance(experiment, Mapping) else read_experiment(experiment)
    given = {"seed": seed, "engine.device": device, "engine.precision": precision}
    settings = dict(set or {}) | {key: value for key, value in given.items() if value is not None}
    return estimate_cost(assemble(resolve(tables, strategy, options, settings)))


def estimate_cost(assembly: Assembly) -> Estimate:
    """Walk through the tasks: a few steps of the first two, whose steps cost what all later ones do; count the others."""
    progress, plan = assembly.progress, assembly.plan
    total, seconds, steps = Cost(), 0.0, 0
    rate, per_step = 0.0, Cost()
    for task in plan.stream.tasks:
        probed = task.number <= 2
        if probed:
            rate, per_step = probe_task(assembly, task)
        counted = walk(assembly, task, steps=0)
        steps += sum(counted.steps)
        seconds += sum(counted.steps) * rate
        total.student_passes += sum(counted.steps) * per_step.student_passes
        total.teacher_passes += sum(counted.steps) * per_step.teacher_passes
        turn_page(plan, open_task(plan, progress, task), progress)
    denoiser = progress.learners["denoiser"]
    return Estimate(
        experiment=assembly.experiment.name,
        strategy=assembly.experiment.strategy.name,
        parameters=parameter_count(denoiser),
        steps=steps,
        student_passes=total.student_passes,
        teacher_passes=total.teacher_passes,
        flops=flops_of_pass(denoiser) * (total.student_passes + total.teacher_passes),
        memory_bytes=progress.machine.peak_memory(),
        training_seconds=seconds,
        evaluation_seconds=evaluation_seconds(assembly),
    )


def probe_task(assembly: Assembly, task: Task) -> tuple[float, Cost]:
    """Seconds and passes of one step of a task, each the mean over the steps of its phases."""
    cost, before = assembly.progress.cost, replace(assembly.progress.cost)
    count = WARM_UP + 1
    probe = walk(assembly, task, steps=count)
    affordable = int(MOST_SECONDS / (probe.times[-1] - probe.times[-2]))
    if affordable > 1:
        count, before = WARM_UP + min(ENOUGH, affordable), replace(cost)
        probe = walk(assembly, task, steps=count)
    done = len(probe.steps) * count
    starts = range(0, done, count)
    spans = [probe.times[start + count - 1] - probe.times[start + WARM_UP - 1] for start in starts]
    student, teacher = cost.student_passes - before.student_passes, cost.teacher_passes - before.teacher_passes
    return sum(spans) / (len(probe.steps) * (count - WARM_UP)), Cost(student / done, teacher / done)


def walk(assembly: Assembly, task: Task, steps: int) -> Probe:
    """Learn a task with so many steps a phase, and forget that it happened."""
    progress, plan = assembly.progress, assembly.plan
    short = replace(plan, training=plan.training.model_copy(update={"steps": steps, "epochs": 0}))
    probe = Probe(plan, progress)
    learn(short, open_task(plan, progress, task), progress, probe)
    progress.trained, progress.phase, progress.step, progress.finished = False, 0, 0, []
    return probe


def flops_of_pass(denoiser: nn.Module) -> int:
    """Floating point operations of one picture going forward once."""
    device = next(denoiser.parameters()).device
    x_t = torch.zeros(1, *denoiser.shape, device=device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        denoiser({"noise": Noised(x_t, torch.zeros(1, dtype=torch.int64, device=device))})
    return counter.get_total_flops()


def evaluation_seconds(assembly: Assembly) -> float:
    """Seconds of drawing the samples of all measurements, from one batch of them."""
    options, machine = assembly.experiment.evaluation, assembly.machine
    denoiser = assembly.progress.learners["denoiser"]
    count = max(options.samples, options.sheet)
    rows = min(count, options.batch)
    for _ in range(2):  # the first time warms up, unless it is long enough not to matter
        began = time.perf_counter()
        draw_samples(denoiser, assembly.sampler, rows, rows, ("probe",), machine)
        seconds = time.perf_counter() - began
        if seconds >= MOST_SECONDS:
            break
    return seconds * count / rows * len(assembly.stream)
