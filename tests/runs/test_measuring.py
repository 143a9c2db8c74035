"""Samples and what they are compared with."""

import pytest
import torch

import palimpsest
from palimpsest.diffusion.samplers import Sampler
from palimpsest.learning.devices import Machine
from palimpsest.runs.measuring import draw_samples
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.stream import Task, from_tasks
from tests.tiny import QUIET, tiny, tiny_denoiser

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
    with pytest.raises(palimpsest.RequestError, match="after task 1 there are no test pictures"):
        palimpsest.train(tables, stream=stream, out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()
    assert palimpsest.train(tiny(), stream=stream, out=tmp_path / "run", display=QUIET).results["finished"]


def test_the_same_noise_goes_through_every_model():
    """Samples of two denoisers differ, and those of one are the same again; clamped, on the CPU, as many as asked."""
    sampler = Sampler("ddim", 2)
    first, again, other = (draw_samples(tiny_denoiser(s), sampler, 7, 3, (0, "evaluation"), CPU) for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (7, 1, 8, 8) and first.abs().max() <= 1
