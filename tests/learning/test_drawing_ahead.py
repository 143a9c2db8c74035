"""Runs whose teachers draw ahead."""

import json
import tomllib

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.core.tables import flat
from palimpsest.models.pipelines import open_pipeline
from palimpsest.reports.results import decides
from tests.tiny import QUIET, interrupted_after, tiny, weights

REUSED = {"strategy": "generative_replay", "reuse": 3, "teacher_steps": 2}
PATHS = {"strategy": "trajectory_distillation", "teacher_steps": 3}


def train(place, request: dict, **engine):
    options = dict(request)
    tables = tiny(training={"steps": 8}, engine=engine | {"device": "cpu", "threads": 1})
    return palimpsest.train(tables, strategy=options.pop("strategy"), out=place, display=QUIET, **options)


@pytest.mark.parametrize("request_", [REUSED, PATHS], ids=["reused", "paths"])
@pytest.mark.parametrize("steps", [9, 12, 15])
def test_a_run_goes_on_inside_a_chunk(request_, steps, tmp_path):
    """The second task begins after 8 steps; with 16 rows at once a chunk of 8 rows a batch serves 6 steps."""
    whole = train(tmp_path / "whole", request_, dream_batch=16)
    with interrupted_after(steps):
        train(tmp_path / "run", request_, dream_batch=16)
    run = palimpsest.resume(tmp_path / "run", display=QUIET)
    assert weights(run.path / "models" / "task_2") == weights(whole.path / "models" / "task_2")
    for passes in ("student_passes", "teacher_passes"):
        assert run.results["cost"][passes] == whole.results["cost"][passes]


def test_how_far_is_drawn_ahead_is_written_down(tmp_path):
    run = train(tmp_path / "run", PATHS)
    engine = tomllib.loads((run.path / "config.toml").read_text())["engine"]
    assert engine["dream_batch"] == 2**14 // 64


def test_a_memory_that_holds_no_chunk_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(RequestError, match="drawing trajectories for a batch of 8 takes .* engine.dream_memory is"):
        train(tmp_path / "run", PATHS, dream_memory=0.01)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("request_", [REUSED, PATHS], ids=["reused", "paths"])
def test_the_teacher_alone_may_dream_in_bf16(request_, tmp_path):
    """The first task has no teacher and stays as it is; of the second the inputs are nearly the same."""
    runs = [train(tmp_path / each, request_, dream_precision=each) for each in ("same", "bf16")]
    assert weights(runs[0].path / "models" / "task_1") == weights(runs[1].path / "models" / "task_1")
    same, lower = (open_pipeline(run.path / "models" / "task_2")[0].state_dict() for run in runs)
    assert any(not torch.equal(same[name], lower[name]) for name in same)
    for name in same:
        torch.testing.assert_close(same[name], lower[name], rtol=0, atol=0.02)
    assert json.loads((runs[1].path / "environment.json").read_text())["arithmetic"] == "fp32, dreams in bf16"
    assert differing(runs) == {"engine.dream_precision"}


def differing(runs: list) -> set[str]:
    """What a comparison says that two methods differ in."""
    settings = [dict(flat(tomllib.loads((run.path / "config.toml").read_text()))) for run in runs]
    return {key for key in settings[0] if settings[0][key] != settings[1][key] and decides(key)}
