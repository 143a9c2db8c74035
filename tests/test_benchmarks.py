"""What benchmarks time is there: a run with a task behind it, whose steps have teachers to ask."""

from pathlib import Path

import pytest
import torch

from palimpsest.runs.config import as_settings, resolve
from palimpsest.runs.tables import read_experiment

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
METHODS = ["finetune", "ewc", "generative_distillation", "lwf"]


@pytest.mark.parametrize("strategy", METHODS)
def test_steps_of_a_second_task_are_timed(strategy, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from stage import Method, second_task, whole_step

    assembly = second_task("digits", Method(strategy, 1, 0), batch=16)
    assert assembly.progress.task == 2
    assert whole_step(assembly, steps=1) > 0
    assert (assembly.progress.cost.teacher_passes > 0) == (strategy not in ("finetune", "ewc"))


def test_a_switch_is_put_back_and_changes_no_answer_that_it_should_not(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from stage import Method, second_task
    from switches import compared, switches

    network = second_task("digits", Method("finetune", 1, 0), batch=16).progress.learners["denoiser"].network
    before = torch.backends.mkldnn.conv.fp32_precision
    found = {name: compared(network, (2, 1, 8, 8), both, 1) for name, both in switches(torch.device("cpu")).items()}
    assert found["inference_mode for no_grad"][1] == "0.0e+00"
    assert torch.backends.mkldnn.conv.fp32_precision == before


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import on_gpu

    return on_gpu


def stage(on_gpu, monkeypatch, code):
    monkeypatch.setitem(on_gpu.STAGES, "stub", on_gpu.Stage(("-c", code)))


@pytest.mark.parametrize(
    ("code", "state", "said"),
    [
        ("import palimpsest, os; print(os.environ['PALIMPSEST_CACHE'])", "done", "cache"),
        ("print('almost'); raise SystemExit(3)", "failed", "almost"),
        ("import time; print('begun'); time.sleep(60)", "cut off", "begun"),
    ],
)
def test_a_stage_on_a_gpu_is_done_fails_or_is_cut_off_and_says_which(
    code, state, said, on_gpu, monkeypatch, tmp_path, capsys
):
    stage(on_gpu, monkeypatch, code)
    assert on_gpu.work("stub", tmp_path, 2 if state == "cut off" else 60) == state
    on_gpu.tell("stub", tmp_path, state, 1.0)
    assert f"stub: {state}" in (told := capsys.readouterr().out) and said in told


def test_a_row_that_has_begun_is_resumed(on_gpu, tmp_path):
    fresh = on_gpu.command("row-fresh", tmp_path)
    assert fresh[2:5] == ["palimpsest", "train", "fashion_mnist"] and fresh[-2:] == [
        "--out",
        str(tmp_path / "row-fresh"),
    ]
    (tmp_path / "row-fresh").mkdir()
    (tmp_path / "row-fresh" / "config.toml").touch()
    assert on_gpu.command("row-fresh", tmp_path)[2:] == ["palimpsest", "resume", str(tmp_path / "row-fresh")]


def test_rows_ask_for_what_there_is(on_gpu):
    """Their settings are those of the experiment, in words that the command line takes."""
    for name, made in on_gpu.STAGES.items():
        if made.is_row:
            words = made.words[made.words.index("--strategy") + 1 :]
            given = dict(word.split("=", 1) for word in words[2::2])
            assert resolve(read_experiment("fashion_mnist"), words[0], settings=as_settings(given)), name
