"""Probing a task: what it costs is counted, however it is made up, in no more steps than it takes."""

import pytest

import palimpsest
from palimpsest.core.term import Phase, Term
from palimpsest.learning.continual import open_task, turn_page
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from palimpsest.runs.probe import ENOUGH, probe_task
from palimpsest.targets import true_noise
from tests.tiny import tiny


@palimpsest.strategy(keeps={"teacher"})
def dreams_first(now, past):
    """Two phases of one learner, of which one draws ahead."""
    yield Phase(
        "denoiser", [Term(now.data, true_noise), Term(past.dreams(2), past.denoiser.noise, now.old)], name="both"
    )
    yield Phase("denoiser", [Term(now.data, true_noise)], name="data")


@palimpsest.strategy(keeps={"teacher"})
def dreams_last(now, past):
    yield Phase("denoiser", [Term(now.data, true_noise)], name="data")
    yield Phase(
        "denoiser", [Term(now.data, true_noise), Term(past.dreams(2), past.denoiser.noise, now.old)], name="both"
    )


def probed(strategy, steps: int):
    """The stretches of the second task."""
    given = {"strategy": strategy} if callable(strategy) else {}
    name = strategy if isinstance(strategy, str) else strategy.__name__
    assembly = assemble(resolve(tiny(), strategy if given else name, {}, {"training.steps": steps}), None, **given)
    plan, progress = assembly.plan, assembly.progress
    turn_page(plan, open_task(plan, progress, assembly.stream.tasks[0]), progress, progress.past.remembered)
    return probe_task(plan, progress, assembly.stream.tasks[1])


@pytest.mark.parametrize(("strategy", "teacher"), [(dreams_first, [24, 0]), (dreams_last, [0, 24])])
def test_phases_of_one_learner_may_differ(strategy, teacher):
    """A step of 8 pictures and 8 dreams: 3 passes of the teacher for each dream."""
    stretches = probed(strategy, 40)
    assert [round(stretch.teacher_passes, 6) for stretch in stretches] == teacher
    assert all(stretch.seconds > 0 and stretch.steps == 40 for stretch in stretches)


@pytest.mark.parametrize("strategy", ["generative_distillation", "trajectory_distillation", "partial_distillation"])
@pytest.mark.parametrize("steps", [4, 25, 2000])
def test_a_probe_takes_a_chunk_or_a_few_steps(strategy, steps):
    (stretch,) = probed(strategy, steps)
    assert stretch.chunk <= steps
    assert stretch.taken <= max(3 * stretch.chunk, ENOUGH + 2 * stretch.chunk)


@pytest.mark.parametrize(("refresh", "batches"), [(0, 20), (12, 60)])
def test_the_dreams_of_a_pool_are_counted_and_only_a_few_are_dreamt(refresh, batches):
    """The second task of two classes each: 2 × 1000 dreams of 40 steps and a look at each, in batches of what is drawn at
    once; beside a local phase and a global one in two parts. Renewed every 12 of 30 steps they are dreamt three times."""
    options = {"teacher_steps": 40, "refresh": refresh}
    experiment = resolve(tiny(), "jdcl", options, {"training.steps": 30, "engine.dream_batch": 100})
    assembly = assemble(experiment)
    plan, progress = assembly.plan, assembly.progress
    turn_page(plan, open_task(plan, progress, assembly.stream.tasks[0]), progress, progress.past.remembered)
    stretches = probe_task(plan, progress, assembly.stream.tasks[1])
    phases, dreams = ([each for each in stretches if each.learns is learns] for learns in (True, False))
    assert [phase.steps for phase in phases] == [30, 10, 20] and [each.steps for each in dreams] == [batches, batches]
    share = progress.learners["joint"].share_of_looking
    for each in dreams:
        assert each.seconds > 0
        assert each.teacher_passes == pytest.approx(100 * (40 + share)), "the look is counted once"
    assert not progress.pools
