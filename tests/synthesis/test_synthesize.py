"""Drawing a set: what the folder holds, and that it is the same however it came to be."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoPipelineForText2Image
from PIL import Image

import palimpsest
from palimpsest.core.errors import Interrupted, RequestError, RunError
from palimpsest.streams.pixels import as_png
from palimpsest.streams.recorded import open_recorded
from palimpsest.synthesis import batches
from palimpsest.synthesis import folder as folders
from palimpsest.synthesis.display import SynthesisDisplay
from palimpsest.synthesis.found_model import quietly
from palimpsest.synthesis.manifest import without_findings
from tests.synthesis.conftest import content, kill_while_drawing

HOW = {"count": 6, "steps": 2, "batch": 4, "device": "cpu", "display": SynthesisDisplay(quiet=True)}


def test_the_folder_and_its_manifest(model, prompts, tmp_path):
    manifest = palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", negative="blurry", seed=3, **HOW)
    files = content(tmp_path / "out")
    assert set(files) == {
        "manifest.json",
        *(f"{name}/{k:05d}.png" for name in ("cat", "dog", "big_eel") for k in range(6)),
    }
    assert manifest == json.loads(files["manifest.json"])
    expected = {"scheduler": "PNDMScheduler", "steps": 2, "guidance": 2.0, "native_size": [16, 16], "size": [16, 16]}
    expected |= {"seed": 3, "count": 6, "batch": 4, "template": "{name}, {definition}", "negative_prompt": "blurry"}
    expected |= {"safety_checker": "on", "precision": "fp32", "device": "cpu", "flagged": 0, "retried": 0}
    assert {name: manifest[name] for name in expected} == expected
    assert manifest["model"]["name"] == "tiny" and manifest["versions"]["torch"] == torch.__version__
    eel = manifest["classes"][2]
    assert (eel["class_id"], eel["name"], eel["folder"], eel["prompt"]) == (2, "big eel", "big_eel", "big eel")
    assert manifest["classes"][0]["prompt"] == "cat, a pet"
    pictures = [(entry["folder"], picture) for entry in manifest["classes"] for picture in entry["pictures"]]
    assert (
        len({picture["seed"] for _, picture in pictures}) == len({picture["sha256"] for _, picture in pictures}) == 18
    )
    for place, picture in pictures:
        assert picture["sha256"] == hashlib.sha256(files[f"{place}/{picture['file']}"]).hexdigest()
    assert str(tmp_path) not in files["manifest.json"].decode(), "no places of this machine"


def test_pictures_are_those_that_the_pipeline_draws_by_itself(model, prompts, tmp_path):
    """With the manifest's seeds and prompt, in batches of the manifest's size."""
    manifest = palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", guidance=3.0, **HOW)
    with quietly():
        pipeline = AutoPipelineForText2Image.from_pretrained(model)
    pipeline.set_progress_bar_config(disable=True)
    entry = manifest["classes"][1]
    seeds = [torch.Generator().manual_seed(picture["seed"]) for picture in entry["pictures"][:4]]
    drawn = pipeline([entry["prompt"]] * 4, num_inference_steps=2, guidance_scale=3.0, generator=seeds).images
    for picture, image in zip(entry["pictures"], drawn, strict=False):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "dog" / picture["file"])), np.asarray(image))


def test_another_sampler_and_precision(model, prompts, tmp_path):
    how = {**HOW, "prompts": prompts, "classes": ["cat"], "count": 4}
    palimpsest.synthesize(model, out=tmp_path / "plain", **how)
    ddim = palimpsest.synthesize(model, out=tmp_path / "ddim", sampler="ddim", **how)
    half = palimpsest.synthesize(model, out=tmp_path / "half", precision="bf16", **how)
    assert ddim["scheduler"] == "DDIMScheduler" and half["precision"] == "bf16"
    plain, other, rough = (
        np.asarray(Image.open(tmp_path / kind / "cat" / "00000.png")).astype(int) for kind in ("plain", "ddim", "half")
    )
    assert (plain != other).any() and (plain != rough).any() and abs(plain - rough).max() < 12


def test_pictures_that_are_not_numbers_stop_it(prompts, model, tmp_path, monkeypatch):
    """Half precision overflows in some autoencoders, and what comes out would be black."""
    from diffusers import AutoencoderKL

    original = AutoencoderKL.decode
    monkeypatch.setattr(AutoencoderKL, "decode", lambda *args, **kwargs: (original(*args, **kwargs)[0] * torch.nan,))
    with pytest.raises(
        RunError, match="tiny drew pictures of cat that are not finite numbers in fp32; give --precision fp32"
    ):
        palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", safety_checker=False, **HOW)
    assert not list((tmp_path / "out").glob("*/*.png"))


def test_sizes(model, prompts, tmp_path):
    """Smaller ones are the native ones, bicubic with antialiasing."""
    how = {**HOW, "prompts": prompts, "classes": ["cat"]}
    palimpsest.synthesize(model, out=tmp_path / "native", size=0, **how)
    palimpsest.synthesize(model, out=tmp_path / "small", size=4, **how)
    native = Image.open(tmp_path / "native" / "cat" / "00002.png")
    small = native.resize((4, 4), Image.Resampling.BICUBIC)
    assert native.size == (16, 16)
    assert (tmp_path / "small" / "cat" / "00002.png").read_bytes() == as_png(np.asarray(small))


def test_more_pictures_and_fewer_classes_leave_the_others_as_they_are(model, prompts, tmp_path):
    how = {**HOW, "prompts": prompts}
    palimpsest.synthesize(model, out=tmp_path / "few", **{**how, "count": 3})
    palimpsest.synthesize(model, out=tmp_path / "many", **{**how, "count": 9, "classes": ["dog", "2"]})
    few, many = content(tmp_path / "few"), content(tmp_path / "many")
    assert {name.split("/")[0] for name in many} == {"dog", "big_eel", "manifest.json"}
    for name in few.keys() & many.keys() - {"manifest.json"}:
        assert few[name] == many[name]
    assert few["dog/00002.png"] and many["dog/00008.png"]
    seeds = [json.loads(files["manifest.json"])["classes"] for files in (few, many)]
    assert [p["seed"] for p in seeds[0][1]["pictures"]] == [p["seed"] for p in seeds[1][0]["pictures"]][:3]


class Killed(BaseException):
    """The process is gone."""


def cut_off_after(writes: int) -> Callable[[Path, bytes], None]:
    """Writes so many files; the next one stays half written under its temporary name, and there the process ends."""
    original, calls = folders.write_atomically, []

    def write(path: Path, data: bytes) -> None:
        calls.append(1)
        if len(calls) > writes:
            path.with_name(f".{path.name}.tmp").write_bytes(data[: len(data) // 2])
            raise Killed
        original(path, data)

    return write


@pytest.mark.parametrize("writes", [0, 3, 6, 19, 24])
def test_killed_at_any_write_and_gone_on_with_it_is_the_same_folder(writes, model, prompts, tmp_path, monkeypatch):
    how = {**HOW, "prompts": prompts}
    palimpsest.synthesize(model, out=tmp_path / "whole", **how)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(folders, "write_atomically", cut_off_after(writes))
        palimpsest.synthesize(model, out=tmp_path / "cut", **how)
    assert not (tmp_path / "cut" / "manifest.json").exists()
    palimpsest.synthesize(model, out=tmp_path / "cut", **how)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_killed_for_real_and_gone_on_with_it_is_the_same_folder(model, prompts, tmp_path):
    """kill -9 while the program draws, in a process of its own."""
    how = {**HOW, "count": 40, "batch": 2}
    sizes = {name: how[name] for name in ("count", "steps", "batch")}
    asked = [str(model), "--prompts", str(prompts)]
    kill_while_drawing(asked, tmp_path / "cut", "cat/00003.png", "tests.synthesis.program", **sizes)
    assert (tmp_path / "cut" / ".synthesis").is_dir() and not (tmp_path / "cut" / "manifest.json").exists()
    for place in ("cut", "whole"):
        palimpsest.synthesize(model, prompts=prompts, out=tmp_path / place, **how)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


@pytest.mark.parametrize("writes", [0, 2, 4, 6, 7, 9, 14, 50])
def test_a_finished_folder_grows_to_more_pictures_also_where_it_is_killed(writes, model, prompts, tmp_path, monkeypatch):
    """Four of each class in batches of three become seven: two records a class, settings, and then what is missing. It stays a set of four
    until it is one of seven."""
    how, grown = {**HOW, "prompts": prompts, "batch": 3}, tmp_path / "grown"
    palimpsest.synthesize(model, out=tmp_path / "many", **how | {"count": 7})
    palimpsest.synthesize(model, out=grown, **how | {"count": 4})
    few = content(grown)
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(folders, "write_atomically", cut_off_after(writes))
        patch.setattr(folders.SynthesisFolder, "tidy", lambda folder: None)  # nobody is left who would
        palimpsest.synthesize(model, out=grown, **how | {"count": 7})
    if writes < 50:
        left = content(grown)
        assert few.items() <= left.items(), "pictures and manifest"
        assert len(open_recorded(grown, ["cat", "dog", "big eel"], (3, 16, 16), 0)) == 12
        assert palimpsest.synthesize(model, out=grown, **how | {"count": 4})["count"] == 4
        assert {name for name in left if name.endswith(".png")} <= content(grown).keys()
    palimpsest.synthesize(model, out=grown, **how | {"count": 7})
    assert content(grown) == content(tmp_path / "many")
    with pytest.raises(RequestError, match="count is 7 there, and 4 was asked for"):
        palimpsest.synthesize(model, out=grown, **how | {"count": 4})


def test_a_picture_that_is_there_stays_though_its_batch_is_drawn_again(model, prompts, tmp_path, monkeypatch):
    """On another machine its last bits might be others."""
    how, out = {**HOW, "prompts": prompts, "batch": 3, "classes": ["cat"]}, tmp_path / "out"
    before = palimpsest.synthesize(model, out=out, **how | {"count": 4})["classes"][0]["pictures"]
    few, original = content(out), batches.as_png
    monkeypatch.setattr(batches, "as_png", lambda pixels: original(255 - pixels))
    after = palimpsest.synthesize(model, out=out, **how | {"count": 6})["classes"][0]["pictures"]
    assert after[:4] == before and len(after) == 6
    assert all(content(out)[name] == picture for name, picture in few.items() if name.endswith(".png"))


def test_two_commands_that_grow_one_set_to_different_counts_lose_nothing(model, prompts, tmp_path):
    """The second looked at the folder before the first was done: it looks again when it has the folder to itself."""
    how = {**HOW, "prompts": prompts, "batch": 3, "out": tmp_path / "out"}
    settings = without_findings(palimpsest.synthesize(model, **how | {"count": 7}))
    before = content(tmp_path / "out")
    folder = folders.SynthesisFolder(tmp_path / "out")
    with pytest.raises(RequestError, match="count is 7 there, and 5 was asked for"), folder.alone():
        folder.begin(settings | {"count": 5}, anew=False)
    assert content(tmp_path / "out") == before


def test_of_a_folder_that_grows_only_what_is_missing_is_drawn(model, prompts, tmp_path, monkeypatch):
    from palimpsest.synthesis.text_to_image import TextToImage

    how = {**HOW, "prompts": prompts, "out": tmp_path / "out", "batch": 3}
    palimpsest.synthesize(model, **how | {"count": 4})
    original, drawn = TextToImage.paint, []

    def counted(painter, subject, seeds, steps=0):
        drawn.append(subject.name)
        return original(painter, subject, seeds, steps)

    monkeypatch.setattr(TextToImage, "paint", counted)
    palimpsest.synthesize(model, **how | {"count": 7})
    assert drawn == [name for name in ("cat", "dog", "big eel") for _ in range(2)], "the first batch of each is whole"


def test_what_is_there_is_not_drawn_again(model, prompts, tmp_path, monkeypatch):
    from palimpsest.synthesis.text_to_image import TextToImage

    how = {**HOW, "prompts": prompts, "out": tmp_path / "out"}
    original, drawn = TextToImage.paint, []

    def counted(painter, subject, seeds, steps=0):
        drawn.append(subject.name)
        if len(drawn) == 4:
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C: the batch in hand is finished
        return original(painter, subject, seeds, steps)

    monkeypatch.setattr(TextToImage, "paint", counted)
    with pytest.raises(Interrupted):
        palimpsest.synthesize(model, **how)
    assert drawn == ["cat", "cat", "dog", "dog"]
    palimpsest.synthesize(model, **how)
    assert drawn[4:] == ["big eel", "big eel"]
    before = content(tmp_path / "out")
    (tmp_path / "out" / ".synthesis").mkdir()  # killed after the manifest was written, and before this was removed
    (tmp_path / "out" / ".synthesis" / "settings.json").write_text("{}")
    palimpsest.synthesize(model, **how)
    assert len(drawn) == 6 and content(tmp_path / "out") == before, "a finished folder is left as it is"


def test_two_processes_go_on_and_it_is_what_one_makes(strict_model, prompts, tmp_path, monkeypatch):
    """They draw what is missing of a small set that one has begun to make larger, and redraw what is flagged; the first alone speaks."""
    how = {"count": 14, "steps": 2, "batch": 3, "seed": 1, "retries": 30}
    arguments = [word for name, value in how.items() for word in (f"--{name}", str(value))]
    arguments = [
        "synthesize",
        strict_model,
        "--prompts",
        prompts,
        "--device",
        "cpu",
        "--out",
        tmp_path / "two",
        *arguments,
    ]
    manifest = palimpsest.synthesize(strict_model, prompts=prompts, out=tmp_path / "one", **{**HOW, **how})
    palimpsest.synthesize(strict_model, prompts=prompts, out=tmp_path / "two", **{**HOW, **how, "count": 4})
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(folders, "write_atomically", cut_off_after(10))  # six records, the settings, and one batch
        palimpsest.synthesize(strict_model, prompts=prompts, out=tmp_path / "two", **{**HOW, **how})
    many = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "tests.synthesis.program"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run([*many, *map(str, arguments)], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("manifest ") == 1 and "; 12 are there already" in ended.stdout
    assert content(tmp_path / "one") == content(tmp_path / "two") and manifest["retried"] > 5


def test_doctor_knows_the_extra():
    from palimpsest.runs.doctor import extras

    said = {name: (there, meaning) for there, name, meaning in extras()}
    assert said["transformers"][0] and "palimpsest synthesize" in said["transformers"][1]
