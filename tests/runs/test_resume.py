"""Killed at any instant and resumed, a run ends with the same bytes as one that was never interrupted."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import palimpsest
from palimpsest.runs.config import resolve, to_toml
from palimpsest.runs.events import read_events
from palimpsest.targets import true_noise
from tests.runs.killing import STEPS, experiment, killed
from tests.tiny import QUIET, interrupted_after, tiny, weights


def outcome(run: Path) -> tuple[list[str], list[dict], list[dict]]:
    """Weights of all tasks, measures, and losses."""
    results = json.loads((run / "results.json").read_text())
    steps = [e for e in read_events(run / "events.jsonl") if e["event"] == "step"]
    losses = [{key: event[key] for key in ("task", "step", "losses")} for event in steps]
    models = [weights(run / "models" / f"task_{task['number']}") for task in results["tasks"]]
    return models, [task["measures"] for task in results["tasks"]], losses


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The outcome of each strategy without an interruption, and its cost."""
    made = {}

    def run(strategy: str):
        if strategy not in made:
            out = tmp_path_factory.mktemp("whole") / strategy
            done = palimpsest.train(experiment(), strategy=strategy, out=out, display=QUIET)
            made[strategy] = outcome(out), done.results["cost"]
        return made[strategy]

    return run


@pytest.mark.parametrize(
    ("strategy", "where", "count"),
    [
        ("generative_distillation", "step", 2),  # before the first checkpoint
        ("generative_distillation", "step", 13),
        ("generative_distillation", "checkpoint", 4),
        ("generative_distillation", "rename", 6),
        ("generative_distillation", "measure", 2),
        ("dark_replay", "step", 12),
        ("joint", "step", 14),
    ],
)
def test_killed_and_resumed_is_as_if_never_interrupted(strategy, where, count, uninterrupted, tmp_path):
    killed(tmp_path / "run", strategy, where, count)
    done = palimpsest.resume(tmp_path / "run", display=QUIET)
    expected, cost = uninterrupted(strategy)
    assert outcome(tmp_path / "run") == expected
    assert done.results["finished"]
    for passes in ("student_passes", "teacher_passes"):
        assert done.results["cost"][passes] == cost[passes]


def steps_written(run: Path) -> int:
    """How many lines of losses there are so far."""
    return sum(event["event"] == "step" for event in read_events(run / "events.jsonl"))


def test_killed_from_outside_at_random_instants(uninterrupted, tmp_path):
    """Up to three times, each some time after the work has gone on; the times are printed for whoever has to look."""
    out, strategy, ends = tmp_path / "run", "generative_distillation", []
    tables = tmp_path / "tiny.toml"
    tables.write_text(to_toml(resolve(experiment(), strategy)))
    command = ["train", str(tables), "--out", str(out)]
    for _ in range(3):
        before = steps_written(out)
        process = subprocess.Popen([sys.executable, "-m", "palimpsest", *command], stdout=subprocess.DEVNULL)
        while process.poll() is None and steps_written(out) == before:
            time.sleep(0.005)
        seconds = random.uniform(0, 0.6)
        time.sleep(seconds)
        process.kill()
        ends.append((process.wait(), seconds))
        command = ["resume", str(out)]
    print(ends)
    assert ends[0][0] == -signal.SIGKILL, "the first one ended before it was killed; make the run longer"
    palimpsest.resume(out, display=QUIET)
    assert outcome(out) == uninterrupted(strategy)[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_signal_saves_and_exits_130(number, uninterrupted, tmp_path):
    tables, out = tmp_path / "tiny.toml", tmp_path / "run"
    tables.write_text(to_toml(resolve(experiment(), "generative_distillation")))
    command = [sys.executable, "-m", "palimpsest", "train", str(tables), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    events = out / "events.jsonl"
    while not (events.exists() and '"event": "step"' in events.read_text()):
        time.sleep(0.01)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(number)
    assert process.wait(timeout=60) == 130
    assert "palimpsest resume" in process.stderr.read()
    palimpsest.resume(out, display=QUIET)
    assert outcome(out) == uninterrupted("generative_distillation")[0]


def test_a_damaged_checkpoint_is_noticed_and_the_one_before_it_used(uninterrupted, tmp_path):
    out = tmp_path / "run"
    killed(out, "generative_distillation", "step", 15)
    newest = sorted((out / "checkpoints").iterdir())[-1] / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    told = []
    display = type(QUIET)(quiet=True)
    display.say = told.append
    palimpsest.resume(out, display=display)
    assert any("is damaged (state.safetensors has changed)" in str(sentence) for sentence in told)
    assert outcome(out) == uninterrupted("generative_distillation")[0]


def test_at_most_two_checkpoints_are_kept(tmp_path):
    run = palimpsest.train(experiment(), out=tmp_path / "run", display=QUIET)
    assert len(list((run.path / "checkpoints").iterdir())) == 2


def test_a_finished_run_says_so(tmp_path):
    run = palimpsest.train(tiny(), out=tmp_path / "run", display=QUIET)
    before = (run.path / "results.json").read_bytes()
    assert palimpsest.resume(run.path, display=QUIET).results["finished"]
    assert (run.path / "results.json").read_bytes() == before


def test_a_checkpoint_of_another_experiment_is_refused(tmp_path):
    out = tmp_path / "run"
    killed(out, "generative_distillation", "step", 15)
    config = out / "config.toml"
    config.write_text(config.read_text().replace("learning_rate = 0.001", "learning_rate = 0.002", 1))
    with pytest.raises(
        palimpsest.RequestError, match="belong to another experiment: classifier.training.learning_rate"
    ):
        palimpsest.resume(out, display=QUIET)


def test_a_run_is_worked_on_by_one_process(tmp_path):
    out = tmp_path / "run"
    killed(out, "generative_distillation", "step", 15)
    code = (
        "import sys, time; from pathlib import Path; from palimpsest.runs.folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).alone(): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(out)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(palimpsest.RequestError, match="another process is at work"):
            palimpsest.resume(out, display=QUIET)
    finally:
        holder.kill()
        holder.wait()


@pytest.mark.skipif(os.name != "posix", reason="limits on the size of files are POSIX's")
def test_a_full_disk_keeps_the_last_good_checkpoint(uninterrupted, tmp_path):
    """A real failed write: the process may not write files as large as a checkpoint of the second task."""
    out = tmp_path / "run"
    killed(out, "generative_distillation", "step", STEPS + 1)  # in task 2, after the checkpoint at the page's turn
    limit = max(p.stat().st_size for p in (out / "checkpoints").rglob("state.safetensors")) - 1000
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from palimpsest.cli import main; sys.argv = ['palimpsest', 'resume', sys.argv[1]]; main()"
    )
    before = sorted(path.name for path in (out / "checkpoints").iterdir())
    ended = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    assert "no space left" in ended.stderr and "MB are needed" in ended.stderr and "Traceback" not in ended.stderr
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == before
    palimpsest.resume(out, display=QUIET)
    assert outcome(out) == uninterrupted("generative_distillation")[0]


def in_phases(*names):
    """A strategy of phases of the denoiser with these names, one after another."""

    @palimpsest.strategy(learners=("denoiser",))
    def phased(now, past):
        for name in names:
            yield palimpsest.Phase("denoiser", [palimpsest.Term(now.data, true_noise)], name=name)

    return phased


@pytest.mark.parametrize(
    ("then", "now", "why"),
    [
        (("local", "global"), ("local", "other"), r'taken in phase "global" \(4 steps .* asks for phase "other" \(4 steps'),
        (("local", "global"), ("local",), r'taken in phase "global" .* asks for no such phase there; change the strategy back'),
        (("local", "global"), ("local", "global"), ""),
    ],
)
def test_a_checkpoint_of_another_phase_is_refused(then, now, why, tmp_path):
    """Stopped in the second phase, and gone on with by a strategy whose code has changed."""
    with interrupted_after(6):
        palimpsest.train(tiny(), strategy=in_phases(*then), out=tmp_path / "run", display=QUIET)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}

    def resumed():
        return palimpsest.resume(tmp_path / "run", strategy=in_phases(*now), display=QUIET)

    if not why:
        assert resumed().results["finished"]
        return
    with pytest.raises(palimpsest.RequestError, match=why):
        resumed()
    kept = {path: path.read_bytes() for path in before if path.suffix in (".safetensors", ".json")}
    assert all(before[path] == found for path, found in kept.items())
