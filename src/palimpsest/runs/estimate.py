"""What a run would cost on this machine, from a probe of a few steps."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from palimpsest.evaluation.evaluator_cache import seconds_to_load
from palimpsest.learning.continual import open_task, turn_page
from palimpsest.measuring.drawing import draw_samples, samplers_of
from palimpsest.measuring.measurer import offering
from palimpsest.models.unet import parameter_count
from palimpsest.runs.assembly import Assembly, assemble
from palimpsest.runs.config import as_settings, resolve
from palimpsest.runs.estimated import Estimate
from palimpsest.runs.probe import MOST_SECONDS, Stretch, probe_task, walk
from palimpsest.runs.synthetic import seconds_to_draw
from palimpsest.runs.tables import read_experiment
from palimpsest.runs.weighing import question


def estimate(
    experiment: str | Path | Mapping[str, Any] = "digits",
    *,
    strategy: str | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    set: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda sentence: None,
    **options: Any,
) -> Estimate:
    """What `train` with the same arguments would cost here. Nothing is written. say: is told when the probing begins."""
    tables = experiment if isinstance(experiment, Mapping) else read_experiment(experiment)
    given = {"seed": seed, "engine.device": device, "engine.precision": precision}
    settings = as_settings(set) | {key: value for key, value in given.items() if value is not None}
    assembly = assemble(resolve(tables, strategy, options, settings), draw=False)
    say("probing: a few steps, and one batch of samples")
    return estimate_cost(assembly)


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
        evaluator_seconds=evaluator_seconds(assembly),
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


def evaluator_seconds(assembly: Assembly) -> float:
    """Seconds until there is an evaluator; 0 for a run that measures neither samples nor synthetic pictures."""
    options, learners = assembly.experiment.evaluation, assembly.progress.learners
    looked_at = (options.samples and offering(learners, "noise")) or (options.gap and assembly.plan.courses[-1].mixing)
    return seconds_to_load(assembly.stream, options.evaluator, assembly.machine.device) if looked_at else 0.0
