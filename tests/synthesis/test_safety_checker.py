"""What the safety checker flags is never kept, counted, and drawn again."""

import numpy as np
import pytest
from PIL import Image

import palimpsest
from palimpsest.core.errors import RunError
from palimpsest.synthesis.display import SynthesisDisplay
from tests.synthesis.conftest import content

HOW = {"count": 6, "steps": 2, "batch": 4, "device": "cpu", "display": SynthesisDisplay(quiet=True)}


def test_flagged_pictures_are_never_kept_and_counted(model, strict_model, most, prompts, tmp_path):
    how = {**HOW, "prompts": prompts, "count": 9, "retries": 30}
    manifest = palimpsest.synthesize(strict_model, out=tmp_path / "strict", **how)
    palimpsest.synthesize(model, out=tmp_path / "free", **how)
    red = {}
    for kind in ("strict", "free"):
        for file in (tmp_path / kind).glob("*/*.png"):
            red[kind, file.parent.name, file.name] = np.asarray(Image.open(file))[..., 0].mean()
    assert max(value for (kind, *_), value in red.items() if kind == "strict") < most + 0.5
    assert min(red.values()) > 100, "no black picture"
    flagged = 0
    for entry in manifest["classes"]:
        for picture in entry["pictures"]:
            bad = red["free", entry["folder"], picture["file"]] > most
            assert (picture["flagged"] > 0) == bad, "drawn again where, and only where, the first one was flagged"
            flagged += picture["flagged"]
        assert entry["flagged"] == sum(picture["flagged"] for picture in entry["pictures"])
        assert entry["retried"] == sum(picture["flagged"] > 0 for picture in entry["pictures"])
    assert manifest["flagged"] == flagged > manifest["retried"] > 0, "some were flagged twice"


def test_without_the_checker_by_explicit_choice(model, strict_model, prompts, tmp_path):
    how = {**HOW, "prompts": prompts}
    manifest = palimpsest.synthesize(strict_model, out=tmp_path / "off", safety_checker=False, **how)
    palimpsest.synthesize(model, out=tmp_path / "free", **how)
    assert manifest["safety_checker"] == "off, as asked" and manifest["flagged"] == 0
    off, free = content(tmp_path / "off"), content(tmp_path / "free")
    assert all(off[name] == free[name] for name in free if name.endswith(".png"))


def test_retries_run_out_and_more_of_them_go_on(strict_model, prompts, tmp_path):
    how = {**HOW, "prompts": prompts, "out": tmp_path / "out", "batch": 1, "count": 4}
    sentence = r'picture \d of the class "cat" was flagged by the safety checker in 1 of 1 tries.*--retries'
    with pytest.raises(RunError, match=sentence):
        palimpsest.synthesize(strict_model, retries=0, **how)
    kept = content(tmp_path / "out")
    assert "manifest.json" not in kept and any(name.endswith(".png") for name in kept)
    palimpsest.synthesize(strict_model, retries=30, **how)
    palimpsest.synthesize(strict_model, **{**how, "out": tmp_path / "at_once"})
    assert content(tmp_path / "out") == content(tmp_path / "at_once")
