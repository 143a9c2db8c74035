"""Strategies and streams of the user's own, named on the command line."""

import json
import re
import tomllib
from pathlib import Path

import pytest

import palimpsest
from tests.tiny import interrupted_after, weights

STRATEGIES = '''
import palimpsest
from palimpsest import Phase, Term
from palimpsest.targets import label, true_noise

@palimpsest.strategy(keeps={"teacher"})
def half_noise(now, past, *, strength: float = 1.0, note: str = ""):
    """Distil the previous model on pure noise.

    strength: how much the past matters
    """
    noise = Term(now.gaussian, past.denoiser.noise, strength * now.old)
    return Phase("denoiser", [Term(now.data, now.truth, now.new), noise])

@palimpsest.strategy()
def clashing(now, past, *, seed: int = 0):
    return Phase("denoiser", [Term(now.data, now.truth)])

@palimpsest.strategy()
def finetune(now, past):
    return Phase("denoiser", [Term(now.data, now.truth)])

@palimpsest.strategy(keeps={"teacher"}, learners=("conditional_denoiser", "classifier"))
def towards_nothing(now, past):
    near = past.border(2, "ddim", 1.0, now.learners["classifier"], (99,), 1)
    yield Phase("conditional_denoiser", [Term(now.data, true_noise)])
    yield Phase("classifier", [Term(now.data, label), Term(near, label)])

other_name = half_noise
undeclared = print
'''
STREAM = """
from types import SimpleNamespace
import numpy as np

def gray(value):
    return np.full((8, 8), value, dtype=np.uint8)

def two_tasks():
    def task(c):
        return SimpleNamespace(classes=(c,), train=[(gray(90 * c + n), c) for n in range(10)], test=[(gray(90 * c), c)])

    return [task(0), task(1)]

def needing(something):
    return []
"""


@pytest.fixture
def own(tmp_path) -> Path:
    """A folder with a file of strategies and one of streams."""
    (tmp_path / "own.py").write_text(STRATEGIES)
    (tmp_path / "pictures.py").write_text(STREAM)
    return tmp_path


def config(run: Path) -> dict:
    return tomllib.loads((run / "config.toml").read_text())


def test_help_shows_the_options_of_a_strategy_of_ones_own(run, own, monkeypatch):
    monkeypatch.syspath_prepend(own)
    for reference in ("own.py:half_noise", "own:half_noise"):
        code, out, error = run("train", "--strategy", reference, "--help")
        assert code == 0 and "half_noise: how much the past matters" in " ".join(out.split()), error


def test_a_strategy_of_ones_own_is_trained_and_resumed_from_anywhere(run, own, experiment, monkeypatch, tmp_path):
    asked = ("train", experiment, "--strategy", "own.py:half_noise", "--strength", 0.5, "--note", "a/b")
    assert run(*asked)[0] == 0
    whole = next((tmp_path / "runs" / "tiny").iterdir())
    assert whole.name.startswith("half_noise-strength0.5-notea_b_") and whole.name.endswith("-seed0")
    results = json.loads((whole / "results.json").read_text())
    assert results["strategy"] == "half_noise" and results["options"] == {"strength": 0.5, "note": "a/b"}
    assert config(whole)["strategy"]["place"] == f"{own / 'own.py'}:half_noise"

    with interrupted_after(6):
        palimpsest.train(experiment, strategy="own.py:half_noise", strength=0.5, note="a/b", out=tmp_path / "cut")
    monkeypatch.chdir("/")
    code, _, error = run("resume", tmp_path / "cut")
    assert code == 0, error
    assert weights(tmp_path / "cut" / "models" / "task_2") == weights(whole / "models" / "task_2")


@pytest.fixture
def cut(own, experiment, tmp_path, monkeypatch) -> Path:
    """A run of a strategy of one's own that was interrupted."""
    monkeypatch.chdir(own)
    with interrupted_after(6):
        palimpsest.train(experiment, strategy="own.py:half_noise", out=tmp_path / "cut")
    return tmp_path / "cut"


def test_resume_refuses_other_options_and_a_strategy_that_is_gone(run, own, cut):
    (own / "own.py").write_text(STRATEGIES.replace("note: str", "word: str"))
    code, _, error = run("resume", cut)
    assert code == 2 and "are now strength, word, and" in error and "was begun with note, strength" in error
    (own / "own.py").unlink()
    code, _, error = run("resume", cut)
    assert code == 2 and "own.py is not there" in error


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("own.py:half_nois", 'Did you mean "half_noise"?'),
        ("owm.py:half_noise", "owm.py is not there"),
        ("no_such_module:half_noise", "No module named 'no_such_module'"),
        ("own.py:undeclared", "is not declared as a strategy; put @palimpsest.strategy(keeps=...) above it"),
        ("own.py:clashing", "option seed of strategy clashing is called like an option of `palimpsest train`"),
        ("own.py:finetune", "a strategy of that name is included; call it otherwise"),
        ("own.py:other_name", "is the function half_noise; ask for it by that name"),
        ("own.py:towards_nothing", "guidance towards class 99 was asked of a classifier that knows the classes 0, 1"),
    ],
)
def test_what_cannot_be_a_strategy_is_refused(reference, sentence, run, own):
    code, _, error = run("train", "--strategy", reference)
    assert code == 2 and sentence in error and len(error.splitlines()) == 1
    assert not (own / "runs").exists()


def test_an_experiment_names_functions_of_ones_own(run, own, experiment):
    text = experiment.read_text()
    text = text.replace('name = "generative_distillation"', 'name = "own.py:half_noise"')
    text = text.replace('name = "digits"', 'name = "pictures.py:two_tasks"')
    experiment.write_text(f"{text}\n[strategy.half_noise]\nstrength = 0.25\n")
    assert run("train", experiment)[0] == 0
    made = own / "runs" / "tiny" / "half_noise-seed0"
    results = json.loads((made / "results.json").read_text())
    assert results["options"]["strength"] == 0.25 and results["stream"] == "two_tasks"
    assert [task["classes"] for task in results["tasks"]] == [[0], [1]]
    for other in (("--strategy", "finetune"), ("--set", "strategy.name=joint")):
        for place in (experiment, made / "config.toml"):  # the options of one's own strategy are no hindrance
            code, _, error = run("train", place, *other, "--force")
            assert code == 0, error


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pictures.py:two_task", 'Did you mean "two_tasks"?'),
        ("pictures.py:needing", "called without arguments and returns tasks"),
        ("pictures.py:np", "a stream gives tasks one after another, and this one is <module 'numpy'"),
        ("pictures.py:gray", "failed (TypeError: gray() missing 1 required positional argument"),
    ],
)
def test_what_is_no_stream_is_refused(name, sentence, run, own, experiment):
    code, _, error = run("train", experiment, "--set", f"stream.name={name}")
    assert code == 2 and sentence in error and len(error.splitlines()) == 1
    assert not (own / "runs").exists()


def test_a_study_takes_strategies_of_ones_own(own, experiment, monkeypatch):
    from palimpsest.runs.tables import read_experiment
    from palimpsest.studies.grid import methods_of, plan

    monkeypatch.chdir(own)
    axes = {"strategy.half_noise.strength": [0.5, 2.0], "stream.name": ["pictures.py:two_tasks"]}
    methods = methods_of(read_experiment(experiment), ["own.py:half_noise", "finetune"], axes)
    planned = plan(read_experiment(experiment), methods, [0])
    assert [run.strategy for run in planned] == ["own.py:half_noise", "own.py:half_noise", "finetune"]
    assert planned[0].name.startswith("half_noise-") and planned[0].name.endswith("-strength0.5-seed0")
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]+", run.name) for run in planned)
