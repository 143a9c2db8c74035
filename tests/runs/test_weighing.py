"""A step that cannot fit into memory is refused before it is taken, and one that may not is warned of."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

import palimpsest
from palimpsest.core.images import Noised
from palimpsest.learning.devices import Machine
from palimpsest.learning.options import TrainingOptions
from palimpsest.models.classifier import build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.runs.folder import RunFolder
from palimpsest.runs.weighing import activation_bytes, check_step
from tests.tiny import QUIET, SHAPE, tiny, tiny_denoiser

CPU = Machine(torch.device("cpu"))


def test_activations_of_one_picture_are_a_share_of_a_batchs():
    denoiser, rows, kept = tiny_denoiser(), 64, {}
    levels = torch.zeros(rows, dtype=torch.int64)
    with saved_tensors_hooks(lambda x: kept.setdefault(x.untyped_storage().data_ptr(), x), lambda x: x):
        denoiser({"noise": Noised(torch.zeros(rows, *SHAPE), levels, levels)})
    own = {weight.data_ptr() for weight in denoiser.parameters()}
    held = sum(x.untyped_storage().nbytes() for place, x in kept.items() if place not in own)
    assert activation_bytes(denoiser, CPU) == pytest.approx(held / rows, rel=0.1)


def test_rounded_copies_of_weights_are_no_activations():
    denoiser, lower = tiny_denoiser(), Machine(CPU.device, precision="bf16")
    assert activation_bytes(denoiser, lower) <= activation_bytes(denoiser, CPU)


def test_weighing_leaves_no_trace():
    for learner in (tiny_denoiser(), build_classifier(ClassifierOptions(), SHAPE, list("ab"), 0)):
        before = {name: value.clone() for name, value in learner.state_dict().items()}
        assert activation_bytes(learner, CPU) > 0 and learner.passes == 0
        assert all(torch.equal(before[name], value) for name, value in learner.state_dict().items())
        assert all(parameter.grad is None for parameter in learner.parameters())


def test_processes_share_a_batch(monkeypatch):
    learners, training = {"denoiser": tiny_denoiser()}, {"denoiser": TrainingOptions(steps=1, batch=100)}
    whole = check_step(learners, training, CPU)
    assert check_step(learners, training, Machine(CPU.device, world=4)) * 4 == whole
    monkeypatch.setattr(Machine, "memory", whole - 1)
    with pytest.raises(palimpsest.RequestError, match="^training.batch is 100, and the denoiser .* well below 99[.]$"):
        check_step(learners, training, CPU)
    assert check_step(learners, training, Machine(CPU.device, world=4)) * 4 == whole


def test_more_than_half_of_the_memory_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Machine, "memory", 8 * activation_bytes(tiny_denoiser(), CPU) * 3 // 2)
    run = palimpsest.train(tiny(), strategy="finetune", out=tmp_path / "run", display=QUIET)
    said = (RunFolder(run.path).path / "events.jsonl").read_text()
    assert "a step takes" in said and "lower training.batch" in said
