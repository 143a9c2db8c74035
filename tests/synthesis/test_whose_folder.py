"""A folder belongs to one set of pictures: what is there is not lost, and not mixed with other pictures."""

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError, RunError
from palimpsest.synthesis.display import SynthesisDisplay
from tests.synthesis.conftest import content

HOW = {"count": 6, "steps": 2, "batch": 4, "device": "cpu", "display": SynthesisDisplay(quiet=True)}


def test_other_settings_are_refused_and_force_replaces(model, prompts, tmp_path):
    how = {**HOW, "prompts": prompts, "out": tmp_path / "out"}
    palimpsest.synthesize(model, **how)
    before = content(tmp_path / "out")
    with pytest.raises(RequestError, match="with other settings: seed is 0 there, and 1 was asked for"):
        palimpsest.synthesize(model, seed=1, **how)
    with pytest.raises(RequestError, match="classes are 3 there, and 1 were asked for"):
        palimpsest.synthesize(model, classes=["cat"], **how)
    prompts.write_text(prompts.read_text().replace("barks", "growls"))
    with pytest.raises(RequestError, match=r'classes\[dog\].definition is "barks" there, and "growls" was asked for'):
        palimpsest.synthesize(model, **how)
    assert content(tmp_path / "out") == before
    (tmp_path / "out" / "notes.txt").write_text("mine")
    palimpsest.synthesize(model, **{**how, "classes": ["cat"], "count": 2}, force=True)
    assert set(content(tmp_path / "out")) == {"cat/00000.png", "cat/00001.png", "manifest.json", "notes.txt"}


def test_a_finished_folder_that_lost_a_picture_is_refused(model, prompts, tmp_path):
    palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", **HOW)
    picture = tmp_path / "out" / "dog" / "00001.png"
    picture.write_bytes((tmp_path / "out" / "dog" / "00000.png").read_bytes())
    with pytest.raises(RequestError, match="dog/00001.png is no longer the picture that was drawn; bring it back"):
        palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", **HOW)
    picture.unlink()
    with pytest.raises(RequestError, match="dog/00001.png is no longer there"):
        palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", **HOW)


def test_a_beginning_without_pictures_may_be_begun_otherwise(model, prompts, tmp_path, monkeypatch):
    """Such as with a smaller batch, when the first did not fit."""
    from palimpsest.synthesis.text_to_image import TextToImage

    def too_large(*arguments):
        raise torch.OutOfMemoryError

    how = {**HOW, "prompts": prompts, "out": tmp_path / "out"}
    with monkeypatch.context() as patch, pytest.raises(RunError, match="a batch of 4 does not fit.*smaller --batch"):
        patch.setattr(TextToImage, "paint", too_large)
        palimpsest.synthesize(model, **how)
    assert palimpsest.synthesize(model, **{**how, "batch": 2})["batch"] == 2


def test_a_full_disk_is_a_sentence(model, prompts, tmp_path, monkeypatch):
    import errno

    def full(path, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(RunError, match="no space left to write"):
        patch.setattr("palimpsest.core.files.os.replace", full)
        palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", **HOW)
    assert len(palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", **HOW)["classes"]) == 3
