"""What benchmarks time is there: a run with a task behind it, whose steps have teachers to ask."""

from pathlib import Path

import pytest

METHODS = ["finetune", "ewc", "generative_distillation", "lwf"]


@pytest.mark.parametrize("strategy", METHODS)
def test_steps_of_a_second_task_are_timed(strategy, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    from stage import Method, second_task, whole_step

    assembly = second_task("digits", Method(strategy, 1, 0), batch=16)
    assert assembly.progress.task == 2
    assert whole_step(assembly, steps=1) > 0
    assert (assembly.progress.cost.teacher_passes > 0) == (strategy not in ("finetune", "ewc"))
