"""What a run would cost, for people."""

import pytest

import palimpsest
from palimpsest.core.files import megabytes
from tests.tiny import QUIET, tiny


def cells(table) -> dict[str, str]:
    return dict(zip(*(column.cells for column in table.columns), strict=True))


def test_what_is_drawn_ahead_is_said_where_anything_is():
    """A batch of 8 beside pictures of 8×8: dreams take 8 copies of a picture each, as many at once as a CPU likes."""
    found = palimpsest.estimate(tiny(), strategy="generative_replay")
    assert found.ahead_bytes == 256 * 8 * 8 * 8 * 4  # 2^14 pixels at once
    assert cells(found.table())["samples drawn ahead"] == f"up to {megabytes(found.ahead_bytes)} of it"
    assert "samples drawn ahead" not in cells(palimpsest.estimate(tiny(), strategy="finetune").table())


@pytest.mark.parametrize("strategy", ["gfr", "nncsl", "guide", "jdcl", "rank1_ewc"])
def test_whatever_is_trained_is_estimated(strategy):
    options = {"jdcl": {"per_class": 4, "teacher_steps": 2}, "guide": {"teacher_steps": 2, "guided_steps": 2}}
    found = palimpsest.estimate(tiny(training={"steps": 4}), strategy=strategy, **options.get(strategy, {}))
    assert found.steps > 0 and found.flops > 0


@pytest.mark.parametrize("steps", [2, 50])
def test_dreams_are_counted_by_their_steps_and_looked_at_once(steps, tmp_path):
    """A fixed number of dreams: what is estimated is what is spent, though only a few steps of a dream are tried."""
    tables = tiny(training={"steps": 6}, engine={"dream_batch": 8})
    options = {"strategy": "jdcl", "per_class": 4, "teacher_steps": steps, "most": 1.0}
    found = palimpsest.estimate(tables, **options)
    cost = palimpsest.train(tables, out=tmp_path / "run", display=QUIET, **options).results["cost"]
    assert found.student_passes == pytest.approx(cost["student_passes"], abs=1)  # written down as whole pictures
    assert found.teacher_passes == pytest.approx(cost["teacher_passes"], abs=1)


def test_an_evaluator_that_is_not_there_yet_is_counted_once(tmp_path, monkeypatch):
    """That of all digits is in the package; of some of them it is another."""
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    fewer = tiny(evaluation={"samples": 8, "evaluator": {"steps": 200}})
    before = palimpsest.estimate(fewer, strategy="finetune")
    assert before.evaluator_seconds > 0 and "evaluator, once" in cells(before.table())
    assert before.hours > (before.training_seconds + before.evaluator_seconds) / 3600
    assert not list(tmp_path.rglob("*.safetensors"))  # nothing is written
    palimpsest.train(fewer, strategy="finetune", out=tmp_path / "run", display=QUIET)
    after = palimpsest.estimate(fewer, strategy="finetune")
    assert after.evaluator_seconds == 0 and "evaluator, once" not in cells(after.table())
    for there in (tiny(stream={"tasks": 2}, evaluation={"samples": 8}), tiny()):
        assert palimpsest.estimate(there, strategy="finetune").evaluator_seconds == 0
