"""Teaching an existing diffusers model: what goes in stays as it is, what comes out opens with stock code."""

import errno
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDPMPipeline, DDPMScheduler, UNet2DModel
from PIL import Image
from sklearn.datasets import load_digits

import palimpsest
from palimpsest.commands.output import delivered
from palimpsest.diffusion.samplers import Sampler
from palimpsest.models.pipelines import Pipeline, open_pipeline
from tests.tiny import QUIET, interrupted_after, tiny, weights

QUICK = {
    "training.steps": 3,
    "training.batch": 4,
    "evaluation.steps": 2,
    "evaluation.sheet": 4,
    "evaluation.kept": 40,
    "engine.threads": 1,
}


def small_pipeline(**scheduler: object) -> DDPMPipeline:
    """A random tiny DDPM pipeline of stock diffusers, with betas of its own."""
    torch.manual_seed(0)
    network = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    options = {"num_train_timesteps": 60, "beta_start": 1e-3, "beta_end": 0.1, "clip_sample_range": 1.5}
    return DDPMPipeline(unet=network, scheduler=DDPMScheduler(**(options | scheduler)))


@pytest.fixture
def model(tmp_path) -> Path:
    folder = tmp_path / "model"
    small_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def pictures(tmp_path) -> Path:
    return write_digits(tmp_path / "pictures", range(5, 10), count=30)


def write_digits(folder: Path, classes: range, count: int | None = None, by_class: bool = False) -> Path:
    """Digits of these classes as PNG files, in one folder or in one a class."""
    data = load_digits()
    rows = np.flatnonzero(np.isin(data.target, list(classes)))[:count]
    for row in rows:
        place = folder / str(data.target[row]) if by_class else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((data.images[row] * 255 / 16).round().astype(np.uint8)).save(place / f"{row:04d}.png")
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_update_delivers_a_pipeline_and_leaves_the_model_alone(model, pictures, tmp_path):
    before = contents(model)
    run = palimpsest.update(model, data=pictures, out=tmp_path / "new", set=QUICK, display=QUIET)
    assert contents(model) == before
    assert run.path == tmp_path / "new" / "run"
    assert run.results["finished"] and run.results["strategy"] == "generative_distillation"
    taught = DDPMPipeline.from_pretrained(tmp_path / "new")
    assert not torch.equal(taught.unet.conv_in.weight, DDPMPipeline.from_pretrained(model).unet.conv_in.weight)
    assert json.loads((tmp_path / "new" / "model_index.json").read_text())["_class_name"] == "DDPMPipeline"
    assert taught.scheduler.config.beta_end == 0.1, "it keeps the model's own scheduler"
    drawn = taught(batch_size=2, num_inference_steps=3, output_type="np").images
    assert drawn.shape == (2, 8, 8, 1) and np.isfinite(drawn).all()
    assert weights(tmp_path / "new") == weights(run.path / "models" / "task_1")
    assert (run.path / "samples" / "task_1.png").exists()


def test_the_first_teacher_makes_it_the_second_task(model, pictures, tmp_path):
    """k = 2: data and dreams weigh half each, and the teacher is asked from the first step on."""
    run = palimpsest.update(
        model, data=pictures, out=tmp_path / "new", set=QUICK, teacher_steps=2, reuse=1, display=QUIET
    )
    assert run.results["cost"]["teacher_passes"] == 3 * 4 * (2 + 1)
    assert run.results["cost"]["student_passes"] == 3 * 3 * 8


def test_the_models_own_betas_prediction_and_range_are_read(tmp_path):
    small_pipeline(prediction_type="v_prediction").save_pretrained(tmp_path / "model")
    denoiser, pipeline = open_pipeline(tmp_path / "model")
    assert (denoiser.predicts, denoiser.clip_range, denoiser.process.steps) == ("v_prediction", 1.5, 60)
    assert torch.allclose(denoiser.process.alphas_bar, pipeline.scheduler.alphas_cumprod)
    run = palimpsest.update(
        tmp_path / "model",
        data=write_digits(tmp_path / "pictures", range(2), count=20, by_class=True),
        out=tmp_path / "new",
        set=QUICK,
        display=QUIET,
    )
    assert run.results["finished"]


def test_an_update_resumes(model, pictures, tmp_path):
    whole = palimpsest.update(model, data=pictures, out=tmp_path / "whole", set=QUICK, display=QUIET)
    with interrupted_after(2):
        palimpsest.update(model, data=pictures, out=tmp_path / "new", set=QUICK, display=QUIET)
    assert not (tmp_path / "new" / "model_index.json").exists()
    done = palimpsest.resume(tmp_path / "new", display=QUIET)
    assert delivered(done.path) == tmp_path / "new" and delivered(tmp_path / "new") is None
    assert weights(tmp_path / "new") == weights(tmp_path / "whole")
    assert done.results["cost"]["teacher_passes"] == whole.results["cost"]["teacher_passes"]


def test_what_was_delivered_is_measured_on_any_pictures(model, pictures, tmp_path, capsys):
    """A loose folder of any name is enough, and all its pictures are compared with."""
    palimpsest.update(model, data=pictures, out=tmp_path / "new", set=QUICK, display=QUIET)
    few = {"evaluation.samples": 20, "evaluation.steps": 2, "evaluation.long_steps": 0, "evaluation.evaluator.steps": 2}
    other = write_digits(tmp_path / "held out", range(3), count=10)
    for data, count in ((pictures, 30), (other, 10)):
        found = palimpsest.evaluate(tmp_path / "new", data=data, set=few, display=QUIET)
        assert found["finished"] and "kid" in found["final"]
        assert found["tasks"][0]["reference"] == count
    palimpsest.evaluate(tmp_path / "new", set={"evaluation.kept": 0})
    assert "nothing was measured; ask for it with --samples" in capsys.readouterr().out, "update.toml has no samples"
    with pytest.raises(palimpsest.RequestError, match="no test pictures of class 0 .*stream.test_share=0.2"):
        palimpsest.evaluate(tmp_path / "new", set=few, display=QUIET)


def refused(sentence: str, *arguments: object, **options: object) -> None:
    with pytest.raises(palimpsest.RequestError, match=sentence):
        palimpsest.update(*arguments, set=QUICK, display=QUIET, **options)


def test_wrong_models_and_places_are_refused_before_anything_is_written(model, pictures, tmp_path):
    refused("lie in one another", model, data=pictures, out=model)
    refused("lie in one another", model, data=pictures, out=model / "new")
    refused("lie in one another", model, data=pictures, out=model.parent)
    shutil.copytree(model, tmp_path / "pickled")
    weight = tmp_path / "pickled" / "unet" / "diffusion_pytorch_model.safetensors"
    weight.rename(weight.with_name("diffusion_pytorch_model.bin"))
    refused("there is no .*nowhere", tmp_path / "nowhere", data=pictures, out=tmp_path / "new")
    run = palimpsest.train(tiny(), strategy="finetune", out=tmp_path / "a run", display=QUIET).path
    refused("a run is a run, and its model is .*a run/models/task_2", run, data=pictures, out=tmp_path / "new")
    refused("cannot be opened", tmp_path / "pickled", data=pictures, out=tmp_path / "new")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    refused("holds a StableDiffusionPipeline", tmp_path / "other", data=pictures, out=tmp_path / "new")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refused("is not empty", model, data=pictures, out=tmp_path / "mine")
    (tmp_path / "empty").mkdir()
    refused("picture", model, data=tmp_path / "empty", out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("strategy", "lacking"),
    [
        ("joint", "all pictures of all past tasks"),
        ("ewc", "how much each weight mattered to past tasks"),
        ("rank1_ewc", "a mean gradient and the weights of each past task"),
        ("experience_replay", "a few pictures of each past task"),
        ("dark_replay", "a few pictures of each past task"),
    ],
)
def test_a_strategy_that_a_given_model_brings_nothing_for_is_refused(model, pictures, tmp_path, strategy, lacking):
    """It would fine-tune, and look as if it remembered; also beside one that does."""
    options = {"beside": "generative_replay"} if strategy == "ewc" else {}
    fitting = (
        "finetune, gaussian_distillation, generative_distillation, generative_replay, lwf, partial_distillation, "
        "trajectory_distillation"
    )
    sentence = f"strategy {strategy} needs {lacking}.*strategies that can teach .*: {fitting}[.]$"
    refused(sentence, model, data=pictures, out=tmp_path / "new", strategy=strategy, **options)
    assert not (tmp_path / "new").exists()


def test_a_strategy_of_ones_own_is_refused_by_what_it_keeps(model, pictures, tmp_path):
    @palimpsest.strategy(keeps={"memory", "teacher"}, learners="any")
    def mine(now, past, *, memory_size: int = 10):
        raise AssertionError("it is refused before it is asked")

    refused("strategy mine needs a few pictures", model, data=pictures, out=tmp_path / "new", strategy=mine)


def test_models_of_a_run_open_with_stock_diffusers_and_give_the_same_pictures(tmp_path):
    """The three lines of the README."""
    run = palimpsest.train(tiny(diffusion={"steps": 100}), out=tmp_path / "run", display=QUIET)
    folder = run.path / "models" / "task_2"
    pipeline = DDIMPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    stock = pipeline(batch_size=3, generator=torch.Generator().manual_seed(5), num_inference_steps=4, output_type="np")
    noise = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    ours = Sampler("ddim", 4)(open_pipeline(folder)[0], noise)
    assert np.allclose(stock.images, (ours / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy(), atol=1e-4)


def test_a_delivery_that_meets_a_full_disk_leaves_what_was_there(model, pictures, tmp_path, monkeypatch):
    """The taught pipeline is complete or absent, and the run can go on when there is room again."""
    original = Pipeline.save

    def full(self, network, folder):
        if folder.parent == tmp_path / "new":
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, network, folder)

    monkeypatch.setattr(Pipeline, "save", full)
    with pytest.raises(palimpsest.RunError, match="no space left to write .* MB are needed"):
        palimpsest.update(model, data=pictures, out=tmp_path / "new", set=QUICK, display=QUIET)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run"]
    monkeypatch.setattr(Pipeline, "save", original)
    palimpsest.resume(tmp_path / "new", display=QUIET)
    assert DDPMPipeline.from_pretrained(tmp_path / "new").unet.config.sample_size == 8


def test_an_update_that_was_moved_delivers_to_where_it_is_now(model, pictures, tmp_path):
    with interrupted_after(2):
        palimpsest.update(model, data=pictures, out=tmp_path / "old", set=QUICK, display=QUIET)
    (tmp_path / "old").rename(tmp_path / "moved")
    palimpsest.resume(tmp_path / "moved", display=QUIET)
    assert (tmp_path / "moved" / "model_index.json").exists() and not (tmp_path / "old").exists()


def test_the_pictures_are_those_of_the_folder_that_was_named(model, tmp_path):
    """Also where a class has the folder's own name."""
    data = tmp_path / "dog"
    for name, digit in (("dog", 3), ("wolf", 4)):
        write_digits(data / name, range(digit, digit + 1), count=6)
    run = palimpsest.update(model, data=data, out=tmp_path / "new", set=QUICK, display=QUIET)
    assert run.results["tasks"][0]["classes"] == [0, 1]


def test_a_model_that_stays_as_it_is_has_kept_everything(model, pictures, tmp_path):
    """By its own samples, for its old pictures are not there: other noise in them, and the same in the sheet of before."""
    still = QUICK | {"training.learning_rate": 1e-12}
    run = palimpsest.update(model, data=pictures, out=tmp_path / "new", set=still, display=QUIET)
    (task,) = run.results["tasks"]
    assert 0.8 < task["measures"]["coverage_old"] < 1 and 0.7 < task["measures"]["density_old"] < 1.3
    assert task["kept"]["samples"] == 40 and task["kept"]["expected"]["density_old"] == 0.5
    assert task["kept"]["new_pictures"]["coverage_old"] < 0.5
    learnt = task["kept"]["learnt"]
    assert learnt["coverage"] == pytest.approx(learnt["before"], abs=0.2) and learnt["coverage"] < learnt["expected"], "nor learnt anything"
    assert task["denoising_error"]["tasks"] == [0] and max(task["denoising_error"]["errors"][0]) < 1e-12
    sheets = [(run.path / "samples" / f"task_1{ending}.png").read_bytes() for ending in ("", "_before")]
    assert sheets[0] == sheets[1]


def test_what_was_kept_falls_where_the_model_moves_away(model, pictures, tmp_path):
    moved = QUICK | {"training.steps": 60, "training.learning_rate": 0.03}
    run = palimpsest.update(model, data=pictures, out=tmp_path / "new", strategy="finetune", set=moved, display=QUIET)
    assert run.results["final"]["coverage_old"] < 0.7 and run.results["final"]["density_old"] < 0.7
    assert min(run.results["tasks"][0]["denoising_error"]["errors"][0]) > 1e-4


def test_too_few_samples_to_measure_what_was_kept_are_refused_at_once(model, pictures, tmp_path):
    with pytest.raises(palimpsest.RequestError, match="evaluation.kept: what was kept is measured by 6 samples or more"):
        palimpsest.update(model, data=pictures, out=tmp_path / "new", set={"evaluation.kept": 5}, display=QUIET)


def test_a_given_model_that_is_gone_is_said_to_be(model, pictures, tmp_path, monkeypatch):
    """As when a run is measured again elsewhere."""
    whole = palimpsest.update(model, data=pictures, out=tmp_path / "new", set=QUICK, display=QUIET)
    again = palimpsest.evaluate(tmp_path / "new", display=QUIET)
    assert again["tasks"][0]["measures"] == whole.results["tasks"][0]["measures"]
    assert again["tasks"][0]["kept"] == whole.results["tasks"][0]["kept"]
    shutil.rmtree(model)
    said = []
    monkeypatch.setattr(QUIET, "say", said.append)
    assert palimpsest.evaluate(tmp_path / "new", display=QUIET)["tasks"][0]["measures"] == {}
    assert said[0] == "warning: what was kept is not measured: there is no given model, or not any more"
    assert len(said) == 2 and said[1].startswith("warning: nothing was measured")
