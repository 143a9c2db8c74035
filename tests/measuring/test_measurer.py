"""Samples and what they are compared with."""

import re
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import palimpsest
from palimpsest.diffusion.samplers import Sampler
from palimpsest.evaluation.denoising import denoising_error, predictions
from palimpsest.evaluation.evaluator import Evaluator
from palimpsest.evaluation.extractors import Extractor
from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.learning.devices import Machine
from palimpsest.measuring.drawing import draw_samples
from palimpsest.measuring.yardstick import Yardstick, some
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.events import read_events
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.stream import Task, from_tasks
from tests.tiny import QUIET, tiny, tiny_denoiser, weights

CPU = Machine(torch.device("cpu"))


def test_memory_mapped_pictures_are_measured_as_resident_ones(tmp_path):
    """With the reference "all", training and test pictures lie in two files."""
    runs = {}
    for held in ("yes", "no"):
        tables = tiny(
            stream={"on_device": held, "tasks": 2, "name": "digits"},
            evaluation={"samples": 40, "reference": "all"},
            training={"steps": 2},
        )
        runs[held] = palimpsest.train(tables, out=tmp_path / held, display=QUIET).results["tasks"]
    measured = [[task["measures"] for task in runs[held]] for held in ("yes", "no")]
    assert measured[0] == measured[1] and all({"fid", "kld", "memorisation"} < task.keys() for task in measured[0])


def test_a_stream_without_test_pictures_is_refused_before_it_is_trained(tmp_path):
    def pictures(label, count):
        return Pictures(torch.zeros(count, 1, 8, 8, dtype=torch.uint8), torch.full((count,), label))

    stream = from_tasks([Task(1, (0,), pictures(0, 8), pictures(0, 0)), Task(2, (1,), pictures(1, 8), pictures(1, 4))])
    tables = tiny(evaluation={"samples": 40})
    with pytest.raises(
        palimpsest.RequestError, match=r"task 1 has no test pictures of class 0 \(\"0\"\) to compare samples with"
    ):
        palimpsest.train(tables, stream=stream, out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()
    assert palimpsest.train(tiny(), stream=stream, out=tmp_path / "run", display=QUIET).results["finished"]


def test_the_same_noise_goes_through_every_model():
    """Samples of two denoisers differ, and those of one are the same again; clamped, on the CPU, as many as asked."""
    sampler = Sampler("ddim", 2)
    first, again, other = (draw_samples(tiny_denoiser(s), sampler, 7, 3, (0, "evaluation"), CPU) for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (7, 1, 8, 8) and first.abs().max() <= 1


def test_what_is_replayed_is_looked_at_and_a_starving_class_is_warned_of(tmp_path):
    """An untrained generator dreams of hardly anything that the evaluator takes for each of three past classes."""
    tables = tiny(stream={"tasks": [[0, 1, 2], [3]]}, evaluation={"samples": 40, "long_steps": 0})
    run = palimpsest.train(tables, out=tmp_path / "run", display=QUIET)
    first, second = run.results["tasks"]
    (seen,) = second["replay"]
    assert "replay" not in first and (seen["source"], seen["learner"], seen["count"]) == ("dreams", "denoiser", 250)
    assert sum(seen["shares"].values()) == pytest.approx(1)
    assert seen["purity"] == pytest.approx(sum(seen["shares"][c] for c in "012"))
    events = list(read_events(run.path / "events.jsonl"))
    assert [e["purity"] for e in events if e["event"] == "replay"] == [seen["purity"]]
    warnings = [e["text"] for e in events if e["event"] == "warning" and "sees too little of" in e["text"]]
    assert len(warnings) == bool(seen["starving"]) == 1 and all("due to each: 33.3%" in text for text in warnings)


def test_looking_at_what_is_replayed_changes_no_weight_and_costs_no_pass(tmp_path):
    runs = {
        replay: palimpsest.train(
            tiny(evaluation={"samples": 40, "long_steps": 0, "replay": replay}),
            out=tmp_path / str(replay),
            display=QUIET,
        )
        for replay in (0, 250)
    }
    assert weights(runs[0].path / "models" / "task_2") == weights(runs[250].path / "models" / "task_2")
    assert runs[0].results["cost"]["teacher_passes"] == runs[250].results["cost"]["teacher_passes"]
    assert "replay" not in runs[0].results["tasks"][1]


def test_denoising_error_is_taken_against_the_first_model_that_knew_the_task(tmp_path):
    """From the saved models, by hand: three tasks, so that task 1 is compared with its first model twice."""
    tables = tiny(stream={"tasks": [[0], [1], [2]]}, evaluation={"samples": 40, "long_steps": 0, "denoising": 6})
    run = palimpsest.train(tables, out=tmp_path / "run", display=QUIET)
    tasks = run.results["tasks"]
    assert "denoising_error" not in tasks[0]
    assert [len(task["denoising_error"]["errors"]) for task in tasks[1:]] == [1, 2]
    first, last = (open_pipeline(run.path / "models" / f"task_{k}")[0] for k in (1, 3))
    stream = open_stream(StreamOptions(**tables["stream"]), 0, "cpu")
    x = stream.tasks[0].test.take(some(stream.tasks[0].test, 6))[0]
    said = [predictions(model, x, None, (0, "denoising error", 1)) for model in (last, first)]
    assert tasks[2]["denoising_error"]["errors"][0] == denoising_error(*said)


def test_a_model_that_gives_back_training_pictures_is_found_out(tmp_path, monkeypatch):
    """Samples that are training pictures: memorisation 1, and the pairs on the picture are alike."""
    stream = open_stream(StreamOptions(tasks=[[0, 1], [2, 3]]), 0, "cpu")

    def copies(*arguments):
        return stream.train.of_classes([0, 1, 2, 3]).take(torch.arange(40))[0]

    monkeypatch.setattr("palimpsest.measuring.measurer.draw_samples", copies)
    run = palimpsest.train(tiny(evaluation={"samples": 40}), out=tmp_path / "run", display=QUIET)
    assert run.results["final"]["memorisation"] == 1
    pairs = np.asarray(Image.open(run.path / "samples" / "task_2_closest.png"))
    height = (len(pairs) - 2) // 2
    assert (pairs[2:height] == pairs[height + 2 : 2 * height]).all()


def test_pictures_of_tasks_to_come_are_no_reference_even_where_classes_come_again(tmp_path):
    """Two tasks of the same two classes: after the first one, only its own pictures count."""
    whole = open_stream(StreamOptions(tasks=[[0, 1]]), 0, "cpu").tasks[0]
    halves = [torch.arange(len(whole.train)) % 2 == part for part in (0, 1)]
    tests = [torch.arange(len(whole.test)) % 3 == part for part in (0, 1)]
    tasks = [
        Task(k + 1, (0, 1), whole.train.subset(halves[k].nonzero()[:, 0]), whole.test.subset(tests[k].nonzero()[:, 0]))
        for k in (0, 1)
    ]
    tables = tiny(evaluation={"samples": 40, "long_steps": 0, "evaluator": {"steps": 20}})
    run = palimpsest.train(tables, stream=from_tasks(tasks), out=tmp_path / "run", display=QUIET)
    counts = [int(part.sum()) for part in tests]
    assert run.results["counts"]["reference"] == [counts[0], sum(counts)]
    (seen,) = run.results["tasks"][1]["replay"]
    assert set(seen["shares"]) == {"0", "1"} and seen["purity"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("accuracy", "extractor", "sentence"),
    [
        (0.125, "same", "labels 12.5% of the 299 test pictures rightly, hardly more than the 10.* all measures of samples"),
        (0.12, "other", "labels 12.0% of the 299 .* class: kld, total_variation and"),
        (0.4, "same", ""),
    ],
)
def test_an_evaluator_at_chance_is_doubted(accuracy, extractor, sentence):
    """Of 299 test pictures in ten classes."""
    evaluator = Evaluator(nn.Identity(), "small", "same", accuracy)
    yardstick = Yardstick(
        open_stream(StreamOptions(), 0, "cpu"),
        EvaluationOptions(),
        False,
        evaluator,
        Extractor(nn.Identity(), extractor, extractor),
    )
    assert bool(yardstick.doubt) == bool(sentence) and re.search(sentence, yardstick.doubt)
    assert replace(yardstick, evaluator=None).doubt == ""


def test_an_evaluator_of_one_class_is_warned_of_once(tmp_path, monkeypatch):
    whole = open_stream(StreamOptions(tasks=[[0]]), 0, "cpu").tasks[0]
    said = []
    monkeypatch.setattr(QUIET, "say", said.append)
    tables = tiny(evaluation={"samples": 20, "long_steps": 0, "evaluator": {"steps": 2}}, training={"steps": 1})
    run = palimpsest.train(tables, stream=from_tasks([whole]), out=tmp_path / "run", display=QUIET)
    told = [event["text"] for event in read_events(run.path / "events.jsonl") if event["event"] == "warning"]
    (warned,) = [text for text in told if "one class alone" in text]
    assert said.count(f"warning: {warned}") == 1 and "all measures of samples and what is said of replay mean nothing" in warned


def test_features_are_probed_where_that_is_asked_for(tmp_path):
    run = palimpsest.train(tiny(evaluation={"samples": 0, "probe": 100}), out=tmp_path / "run", display=QUIET)
    first, last = (task["measures"] for task in run.results["tasks"])
    assert 0.5 < last["accuracy_probe"] <= first["accuracy_probe"] <= 1


def test_a_probe_of_what_has_no_generator_is_told_of_once(tmp_path):
    tables = tiny(learner="classifier", strategy={"name": "finetune"}, evaluation={"samples": 0, "probe": 100})
    run = palimpsest.train(tables, out=tmp_path / "run", display=QUIET)
    told = [event["text"] for event in read_events(run.path / "events.jsonl") if event["event"] == "warning"]
    assert len([text for text in told if "no probe" in text and "not told of classes, and there is none" in text]) == 1
    with pytest.raises(palimpsest.RequestError, match="holds a classifier and nothing that makes pictures"):
        palimpsest.sample(run.path)


def test_the_benchmark_of_measures_times_each_of_them(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    found = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "evaluate.py"))
    few = {"evaluation.samples": 40, "evaluation.steps": 2, "evaluation.memorisation": 20, "evaluation.denoising": 2}
    table = found["measure"]("digits", 1, few)
    assert {"memorisation", "denoising error", "features and statistics"} <= set(table.columns[0].cells)
