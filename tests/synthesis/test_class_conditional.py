"""Drawing from palimpsest's own models that are told of classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.samplers import Sampler
from palimpsest.diffusion.schedulers import export_scheduler
from palimpsest.evaluation.sheet import to_bytes
from palimpsest.models.pipelines import Pipeline
from palimpsest.runs.models import save_learners
from palimpsest.streams.recorded import open_recorded
from palimpsest.synthesis.display import SynthesisDisplay
from tests.synthesis.conftest import content, kill_while_drawing
from tests.tiny import conditional_denoiser, tiny_denoiser

HOW = {"count": 3, "steps": 3, "batch": 2, "device": "cpu", "display": SynthesisDisplay(quiet=True)}
NAMES = {0: "cat", 1: "dog", 3: "eel"}


def saved(folder: Path, null: bool = False, conditional: bool = True) -> Path:
    """A model folder as a run leaves it, of which three of four classes have been learnt."""
    denoiser = conditional_denoiser(null=null) if conditional else tiny_denoiser()
    torch.manual_seed(0)
    torch.nn.init.normal_(denoiser.network.conv_out.weight, std=0.1)  # a fresh network's answer is 0
    scheduler = export_scheduler(denoiser.process, DiffusionOptions(steps=100))
    save_learners({"denoiser": denoiser}, Pipeline("DDIMPipeline", scheduler), NAMES, folder)
    return folder


def test_classes_come_from_the_model_and_pictures_from_its_own_samplers(tmp_path):
    from palimpsest.models.pipelines import open_pipeline

    manifest = palimpsest.synthesize(saved(tmp_path / "model"), out=tmp_path / "out", **HOW)
    assert [(entry["class_id"], entry["folder"]) for entry in manifest["classes"]] == [
        (0, "cat"),
        (1, "dog"),
        (3, "eel"),
    ]
    assert manifest["model"]["kind"] == "class-conditional" and manifest["scheduler"] == "ddim"
    assert manifest["guidance"] == 1.0 and manifest["size"] == [8, 8] and "transformers" not in manifest["versions"]
    denoiser = open_pipeline(tmp_path / "model")[0]
    seeds = [picture["seed"] for picture in manifest["classes"][2]["pictures"][:2]]
    noise = torch.stack([torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
    drawn = to_bytes(Sampler("ddim", 3)(denoiser, noise, y=torch.tensor([3, 3])))
    for number in range(2):
        assert np.array_equal(
            np.asarray(Image.open(tmp_path / "out" / "eel" / f"0000{number}.png")), drawn[number, ..., 0]
        )


def test_a_run_is_a_model_and_its_pictures_read_as_its_streams(tiny_run, tmp_path):
    run = tiny_run("conditional_generative_distillation").path
    manifest = palimpsest.synthesize(run, out=tmp_path / "out", **HOW)
    last = palimpsest.synthesize(run / "models" / "task_2", out=tmp_path / "last", **HOW)
    assert [entry["name"] for entry in manifest["classes"]] == ["0", "1", "2", "3"]
    assert manifest["model"]["name"] == run.name and manifest["classes"] == last["classes"]
    with pytest.raises(RequestError, match='unknown class of run "2". Legal: 0, 1'):
        palimpsest.synthesize(run / "models" / "task_1", out=tmp_path / "first", classes=["2"], **HOW)
    pictures = open_recorded(tmp_path / "out", {3: "3", 0: "0"}, (1, 8, 8), 3, white=16)
    assert pictures.labels.tolist() == [0, 0, 0, 3, 3, 3] and pictures.shape == (1, 8, 8) and pictures.white == 16


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpmsolver++"])
def test_a_picture_does_not_depend_on_how_many_are_wanted(sampler, tmp_path):
    model = saved(tmp_path / "model")
    palimpsest.synthesize(model, out=tmp_path / "few", sampler=sampler, **HOW)
    how = {**HOW, "count": 5, "classes": ["eel"]}
    palimpsest.synthesize(model, out=tmp_path / "many", sampler=sampler, **how)
    few, many = content(tmp_path / "few"), content(tmp_path / "many")
    for number in range(3):
        assert few[f"eel/0000{number}.png"] == many[f"eel/0000{number}.png"]
    assert few["eel/00000.png"] != few["eel/00001.png"] and few["eel/00000.png"] != few["cat/00000.png"]


def test_guidance_needs_a_model_that_can_go_without_a_class(tmp_path):
    with pytest.raises(RequestError, match="guidance of 3 needs a denoiser that learns to go without"):
        palimpsest.synthesize(saved(tmp_path / "model"), out=tmp_path / "out", guidance=3.0, **HOW)
    model = saved(tmp_path / "null", null=True)
    plain = palimpsest.synthesize(model, out=tmp_path / "plain", **HOW)
    bent = palimpsest.synthesize(model, out=tmp_path / "bent", guidance=3.0, **HOW)
    assert plain["guidance"] == 1.0 and bent["guidance"] == 3.0
    assert content(tmp_path / "plain")["cat/00000.png"] != content(tmp_path / "bent")["cat/00000.png"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"prompts": "cifar10"}, "--prompts was given, and model is not a text-to-image model"),
        ({"negative": "blurry"}, "--negative was given"),
        ({"classes": ["cta"]}, 'unknown class of model "cta". Did you mean "cat"'),
        ({"classes": ["2"]}, 'unknown class of model "2"'),
        ({"steps": 101}, "101 sampling steps were asked"),
        ({"sampler": "ddmi"}, 'unknown sampler "ddmi"'),
        ({"sampler": "EulerAncestralDiscreteScheduler"}, "draws its noise for a whole batch"),
        ({"precision": "fp16"}, "legal for this one: fp32, bf16"),
        ({"size": 9}, "--size 9 was asked for, and the model draws 8×8"),
    ],
)
def test_wrong_requests(asked, sentence, tmp_path):
    model = saved(tmp_path / "model")
    with pytest.raises(RequestError, match=sentence.replace("+", r"\+")):
        palimpsest.synthesize(model, out=tmp_path / "out", **{**HOW, **asked})
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_told_of_no_classes_has_no_labels(tmp_path):
    with pytest.raises(RequestError, match="model is told of no classes"):
        palimpsest.synthesize(saved(tmp_path / "model", conditional=False), out=tmp_path / "out", **HOW)


@pytest.mark.slow
def test_killed_for_real_and_gone_on_with(tmp_path):
    """kill -9 while it draws: the program itself, in a process of its own."""
    model, out = saved(tmp_path / "model"), tmp_path / "cut"
    how = {"count": 30, "steps": 2, "batch": 2}
    kill_while_drawing([str(model)], out, "cat/00007.png", **how)
    assert (out / ".synthesis").is_dir() and not (out / "manifest.json").exists()
    palimpsest.synthesize(model, out=out, **{**HOW, **how})
    palimpsest.synthesize(model, out=tmp_path / "whole", **{**HOW, **how})
    assert content(out) == content(tmp_path / "whole")
