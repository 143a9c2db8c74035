"""What a run would cost on this machine, from a probe of a few steps."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from palimpsest.core.files import megabytes
from palimpsest.learning.continual import open_task, turn_page
from palimpsest.measuring.drawing import draw_samples, samplers_of
from palimpsest.measuring.measurer import offering
from palimpsest.models.unet import parameter_count
from palimpsest.runs.assembly import Assembly, assemble
from palimpsest.runs.config import as_settings, resolve
from palimpsest.runs.probe import MOST_SECONDS, Stretch, probe_task, walk
from palimpsest.runs.synthetic import seconds_to_draw
from palimpsest.runs.tables import read_experiment
from palimpsest.runs.weighing import question


@dataclass(frozen=True)
class Estimate:
    """What a run would cost. passes as in results.json; flops of all passes; seconds of training and of evaluation.

    drawing_seconds: of synthetic pictures that a model draws before training, as far as they are missing; neither its passes nor its
        memory are counted.
    classifier_passes, classifier_seconds: of the classifier beside the generator, counted apart.
    ahead_bytes: of memory_bytes, what one source's samples take while they are drawn ahead, at the most.
    """

    experiment: str
    strategy: str
    parameters: int
    steps: int
    student_passes: float
    teacher_passes: float
    classifier_passes: float
    flops: float
    memory_bytes: int
    ahead_bytes: int
    training_seconds: float
    classifier_seconds: float
    evaluation_seconds: float
    drawing_seconds: float

    @property
    def hours(self) -> float:
        """All of it."""
        return (self.training_seconds + self.classifier_seconds + self.evaluation_seconds + self.drawing_seconds) / 3600

    def table(self) -> Table:
        """For people."""
        made = Table(title=f"{self.experiment}, {self.strategy}", title_justify="left", show_header=False, box=None)
        rows = {
            "parameters": f"{self.parameters:,}",
            "optimizer steps": f"{self.steps:,}",
            "student passes": f"{self.student_passes:,.0f} pictures (a backward counts 2)",
            "teacher passes": f"{self.teacher_passes:,.0f} pictures",
            "classifier beside it": f"{self.classifier_passes:,.0f} pictures, {in_hours(self.classifier_seconds)}",
            "FLOPs of all passes": f"{self.flops:.3g}",
            "peak memory": megabytes(self.memory_bytes),
            "samples drawn ahead": f"up to {megabytes(self.ahead_bytes)} of it",
            "synthetic pictures": in_hours(self.drawing_seconds),
            "training": in_hours(self.training_seconds),
            "evaluation": in_hours(self.evaluation_seconds),
            "all": f"{self.hours:.3f} h",
        }
        if not self.classifier_seconds:
            del rows["classifier beside it"]
        if not self.ahead_bytes:
            del rows["samples drawn ahead"]
        if not self.drawing_seconds:
            del rows["synthetic pictures"]
        for name, value in rows.items():
            made.add_row(name, value)
        return made


def in_hours(seconds: float) -> str:
    """Such as "0.043 h (155 s)"."""
    return f"{seconds / 3600:.3f} h ({seconds:,.0f} s)"


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
    settings = as_settings(set) | {key: value for key, value in given.items() if value is not None}
    return estimate_cost(assemble(resolve(tables, strategy, options, settings), draw=False))


def estimate_cost(assembly: Assembly) -> Estimate:
    """Walk through the tasks: a few steps of the first two, whose steps cost what all later ones do; count the others.

    Those of a network that has grown cost more than the ones before, so that all its tasks are tried.
    """
    progress, plan = assembly.progress, assembly.plan
    drawing = seconds_to_draw(assembly.experiment, plan.stream)  # first, for a model may not be there
    progress.past = progress.past.unseeing
    stretches: list[Stretch] = []
    probed: list[Stretch] = []
    for task in plan.stream.tasks:
        if task.number <= 2 or any(getattr(learner, "older", ()) for learner in progress.learners.values()):
            probed = probe_task(plan, progress, task)
        counted = walk(plan, progress, task, {}).all
        stretches += [replace(like, steps=each.steps) for like, each in zip(probed, counted, strict=True)]
        now = open_task(plan, progress, task)
        turn_page(plan, now, progress, progress.past.remembering(now))
    own, beside = Total.of(stretches, beside=False), Total.of(stretches, beside=True)
    return Estimate(
        experiment=assembly.experiment.name,
        strategy=assembly.experiment.strategy.name,
        parameters=sum(parameter_count(each) for name, each in progress.learners.items() if name != progress.beside),
        steps=own.steps,
        student_passes=own.student_passes,
        teacher_passes=own.teacher_passes,
        classifier_passes=beside.student_passes + beside.teacher_passes,
        flops=flops_of(stretches, progress.learners),
        memory_bytes=progress.machine.peak_memory(),
        ahead_bytes=max(each.ahead for each in stretches),
        training_seconds=own.seconds,
        classifier_seconds=beside.seconds,
        evaluation_seconds=evaluation_seconds(assembly),
        drawing_seconds=drawing,
    )


@dataclass(frozen=True)
class Total:
    """Several phases together."""

    steps: int
    seconds: float
    student_passes: float
    teacher_passes: float

    @classmethod
    def of(cls, stretches: list[Stretch], beside: bool) -> "Total":
        """All phases of the strategy's own learners, or all of the one beside them."""
        chosen = [each for each in stretches if each.beside == beside]
        return cls(
            steps=sum(each.steps for each in chosen if each.learns),
            seconds=sum(each.steps * each.seconds for each in chosen if each.steps),
            student_passes=sum(each.steps * each.student_passes for each in chosen),
            teacher_passes=sum(each.steps * each.teacher_passes for each in chosen),
        )


def flops_of(stretches: list[Stretch], learners: Mapping[str, nn.Module]) -> float:
    """Floating point operations of all passes. A teacher's are taken for the generator's, which is the dearer one.

    Networks that are shown no pictures, such as a generator of features, count none.
    """
    flops = {
        name: flops_of_pass(learner) for name, learner in learners.items() if {"noise", "logits"} & {*learner.heads}
    }
    teacher = max(flops.values())
    return sum(
        each.steps * (each.student_passes * flops.get(each.learner, 0) + each.teacher_passes * teacher)
        for each in stretches
    )


def flops_of_pass(learner: nn.Module) -> int:
    """Floating point operations of one picture going forward once."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        before = learner.passes
        learner(question(learner, 1))  # what a pass is counted in
    return round(counter.get_total_flops() / max(learner.passes - before, 1))  # several backbones are several passes


def evaluation_seconds(assembly: Assembly) -> float:
    """Seconds of drawing the samples of all measurements, from one batch of them.

    What is computed from them takes a tenth of that (`benchmarks/evaluate.py`), but for the features of large networks.
    """
    options, machine = assembly.experiment.evaluation, assembly.machine
    denoiser = offering(assembly.progress.learners, "noise")
    own, long = samplers_of(options, denoiser)
    if denoiser is None:
        return 0.0
    count = max(options.samples, options.sheet)
    rows = min(count, options.batch)
    for _ in range(2):  # the first time warms up, unless it is long enough not to matter
        began = time.perf_counter()
        draw_samples(denoiser, own, rows, rows, ("probe",), machine)
        seconds = time.perf_counter() - began
        if seconds >= MOST_SECONDS:
            break
    steps = own.steps * len(assembly.stream) + (long.steps if long else 0)
    beside = count + 2 * options.kept * len(assembly.stream) if assembly.experiment.given and options.kept else 0
    return seconds / rows * (count * steps / own.steps + beside)
