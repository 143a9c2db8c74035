"""The Python API reads like the command line."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import palimpsest
from tests.tiny import QUIET, interrupted_after, tiny, weights


@dataclass
class Theirs:
    """A task of somebody else's stream: any object with classes, train and test."""

    classes: tuple[int, ...]
    train: list
    test: list


def their_stream() -> list[Theirs]:
    generator = torch.Generator().manual_seed(0)

    def pairs(classes):
        return [(torch.rand(1, 8, 8, generator=generator), label) for label in classes for _ in range(12)]

    return [Theirs((0, 1), pairs((0, 1)), pairs((0, 1))), Theirs((2, 3), pairs((2, 3)), pairs((2, 3)))]


def test_a_third_partys_stream_is_learnt_and_resumed(tmp_path):
    whole = palimpsest.train(tiny(), stream=their_stream(), out=tmp_path / "whole", display=QUIET)
    assert whole.results["stream"] == "python" and len(whole.results["tasks"]) == 2
    with interrupted_after(6):
        palimpsest.train(tiny(), stream=their_stream(), out=tmp_path / "run", display=QUIET)
    with pytest.raises(palimpsest.RequestError, match="was passed in from Python.*stream="):
        palimpsest.resume(tmp_path / "run", display=QUIET)
    palimpsest.resume(tmp_path / "run", stream=their_stream(), display=QUIET)
    assert weights(tmp_path / "run" / "models" / "task_2") == weights(whole.path / "models" / "task_2")


def test_the_examples_of_the_documentation_work(tmp_path, monkeypatch):
    """docs/strategies.md: its first example is run as it stands, on a smaller experiment; its others are trained, too."""
    made = on_a_smaller_experiment(monkeypatch, tmp_path)
    first, second, third = examples("strategies.md")
    assert len(first.strip().splitlines()) <= 15
    names = {}
    exec(first, names)
    exec(third, names)
    palimpsest.train("digits", strategy=names["two_phases"])
    assert made[0].results["strategy"] == "dreams_and_noise" and made[0].results["options"] == {"strength": 0.5}
    assert made[0].results["allowed_to_remember"] == ["teacher"]
    assert made[1].results["cost"]["student_passes"] == 3 * 2 * 2 * 4 * 8
    exec(second.partition("run = ")[0], names)
    classifier = tiny(learner="classifier", classifier={"network": "resnet8", "head": "growing", "training": {"steps": 4, "batch": 8}})
    monkeypatch.undo()
    run = palimpsest.train(classifier, strategy=names["remember_and_distil"], out=tmp_path / "run", display=QUIET)
    assert run.results["allowed_to_remember"] == ["memory", "teacher"] and "accuracy_nearest_mean" in run.results["final"]


def test_a_strategy_of_denoisers_in_an_experiment_of_classifiers_is_told_of_learners(tmp_path):
    @palimpsest.strategy(keeps={"teacher"})
    def dreams(now, past):
        return palimpsest.Phase("denoiser", [palimpsest.Term(now.data, now.truth)])

    with pytest.raises(palimpsest.RequestError, match='the classifier, and the strategy trains denoiser; declare it with learners=."classifier"'):
        palimpsest.train(tiny(learner="classifier"), strategy=dreams, out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()


def test_the_stream_of_the_documentation_works_from_python_and_by_its_name(tmp_path, monkeypatch):
    """docs/streams.md: its example as it stands, and the same function in a file of its own."""
    made = on_a_smaller_experiment(monkeypatch, tmp_path)
    (example,) = examples("streams.md")
    exec(example, {"__name__": "example"})  # dataclass looks up the module
    (tmp_path / "mine.py").write_text(example.partition("run = ")[0])
    palimpsest.train("digits", set={"stream.name": f"{tmp_path / 'mine.py'}:my_stream"})
    assert [task["classes"] for task in made[0].results["tasks"]] == [[0], [1], [2]]
    assert weights(made[0].path / "models" / "task_3") == weights(made[1].path / "models" / "task_3")


def examples(page):
    """The Python in a page of the documentation."""
    text = (Path(__file__).parent.parent / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def on_a_smaller_experiment(monkeypatch, tmp_path):
    """The runs, as they are made, of a `palimpsest.train` that trains a tiny experiment in place of digits."""
    original, made = palimpsest.train, []

    def small(experiment, **arguments):
        assert experiment == "digits"
        made.append(original(tiny(), out=tmp_path / str(len(made)), display=QUIET, **arguments))
        return made[-1]

    monkeypatch.setattr(palimpsest, "train", small, raising=False)
    return made


def test_wrong_strategies_of_ones_own_are_refused(tmp_path):
    @palimpsest.strategy()
    def mine(now, past, *, strength: float = 1.0):
        """Nothing but data."""
        return palimpsest.Phase("denoiser", [palimpsest.Term(now.data, now.truth, strength)])

    def refused(sentence, **arguments):
        with pytest.raises(palimpsest.RequestError, match=sentence):
            palimpsest.train(tiny(), out=tmp_path / "run", display=QUIET, **arguments)

    refused('unknown option of strategy mine "strenth". Did you mean "strength"', strategy=mine, strenth=0.5)
    refused("is not declared as a strategy", strategy=lambda now, past: None)
    refused("nothing to learn from", strategy=mine, strength=0.0)
    with pytest.raises(
        palimpsest.RequestError, match="cannot keep secrets; legal: teacher, average, fisher, rank1_fisher, memory"
    ):
        palimpsest.strategy(keeps={"secrets"})
    with pytest.raises(palimpsest.RequestError, match="has no option memory_size"):
        palimpsest.strategy(keeps={"memory"})(lambda now, past: None)


def test_settings_sources_and_samples_from_python(tmp_path):
    from palimpsest.sources import Dreams, Gaussian, Halfway, Memory  # noqa: F401
    from palimpsest.strategies.generative_distillation import generative_distillation

    run = palimpsest.train(
        tiny(),
        strategy=generative_distillation,
        seed=4,
        set={"training.steps": 2},
        out=tmp_path / "run",
        teacher_steps=3,
        display=QUIET,
    )
    assert run.results["seed"] == 4 and run.results["options"]["teacher_steps"] == 3
    pictures = palimpsest.sample(run.path, count=3, steps=2)
    assert pictures.shape == (3, 1, 8, 8) and pictures.abs().max() <= 1
    assert torch.equal(pictures, palimpsest.sample(run.path, count=3, steps=2))


def test_estimate_counts_passes_as_training_does(tmp_path):
    tables = tiny(training={"steps": 6}, evaluation={"samples": 0})
    for strategy, options in (
        ("generative_distillation", {}),
        ("generative_distillation", {"reuse": 2}),
        ("trajectory_distillation", {}),
        ("joint", {}),
        ("experience_replay", {}),
    ):
        expected = palimpsest.estimate(tables, strategy=strategy, **options)
        place = tmp_path / f"{strategy}{options}"
        cost = palimpsest.train(tables, strategy=strategy, out=place, display=QUIET, **options).results["cost"]
        assert expected.student_passes == pytest.approx(cost["student_passes"])
        assert expected.teacher_passes == pytest.approx(cost["teacher_passes"])
        assert expected.steps == 12 and expected.flops > 0 and expected.training_seconds > 0


def test_what_is_no_stream_and_what_are_no_settings_are_named(tmp_path):
    with pytest.raises(palimpsest.RequestError, match="task 1 of the stream is 1, which has no classes, train, test"):
        palimpsest.train(tiny(), stream=[1, 2], out=tmp_path / "run", display=QUIET)
    with pytest.raises(palimpsest.RequestError, match="set takes values by dotted key"):
        palimpsest.train(tiny(), set="training.steps=2", out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()


def test_the_package_says_what_is_in_it():
    assert {"train", "study", "evaluate", "Phase", "RequestError"} <= set(dir(palimpsest))
