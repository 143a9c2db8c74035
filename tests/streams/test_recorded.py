"""Reading a folder of pictures for training, with a manifest or without."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.evaluation.pictures import digest
from palimpsest.streams import decode
from palimpsest.streams.recorded import open_recorded, size_of
from palimpsest.synthesis.display import SynthesisDisplay
from tests.streams.sets import PETS, pixels, write_folder

SHAPE = (3, 6, 6)
NAMES = {4: "eel", 1: "cat", 7: "dog"}  # a stream's own numbers


@pytest.fixture
def pets(tmp_path) -> tuple[Path, dict[str, np.ndarray]]:
    """Three classes of three pictures, 6×6 in colour; the folder, and the pixels by class."""
    return tmp_path / "pets", write_folder(tmp_path / "pets")


def test_labels_are_the_streams_and_pictures_can_be_taken_by_class(pets):
    root, written = pets
    pictures = open_recorded(root, NAMES, SHAPE, 2)
    assert pictures.labels.tolist() == [1, 1, 4, 4, 7, 7] and pictures.shape == SHAPE
    eels = pictures.of_classes([4])
    assert np.array_equal(np.asarray(eels.pixels).transpose(0, 2, 3, 1), written["eel"][:2])
    assert len(open_recorded(root, NAMES, SHAPE, 0)) == 9
    assert open_recorded(root, PETS, SHAPE, 1).labels.tolist() == [0, 1, 2], "a stream's names in order"


def test_how_large_pictures_are_is_known_without_reading_them_all(pets):
    root, _ = pets
    assert size_of(root) == (6, 6)
    Image.new("RGB", (9, 7)).save(root / "cat" / "0.png")
    assert size_of(root) == (7, 9)


def test_sub_folders_may_be_called_by_number_or_nearly_by_name(pets):
    root, written = pets
    (root / "cat").rename(root / "001")
    (root / "eel").rename(root / "E_e l")
    pictures = open_recorded(root, NAMES, SHAPE, 1)
    assert np.array_equal(np.asarray(pictures.of_classes([1]).pixels)[0].transpose(1, 2, 0), written["cat"][0])
    assert pictures.labels.tolist() == [1, 4, 7]


def test_a_name_goes_before_a_number(tmp_path):
    written = write_folder(tmp_path / "digits", classes=("1", "0"))
    pictures = open_recorded(tmp_path / "digits", {0: "1", 1: "0"}, SHAPE, 1)
    assert np.array_equal(np.asarray(pictures.pixels)[0].transpose(1, 2, 0), written["1"][0])


def test_pictures_come_to_the_streams_shape(pets, tmp_path):
    """Bicubic with antialiasing, gray or colour, and to the stream's white."""
    root, written = pets
    colour = Image.fromarray(written["cat"][0])
    small = open_recorded(root, NAMES, (1, 2, 3), 1)
    expected = np.asarray(colour.convert("L").resize((3, 2), Image.Resampling.BICUBIC))
    assert small.shape == (1, 2, 3) and np.array_equal(np.asarray(small.pixels)[0, 0], expected)
    white = open_recorded(root, NAMES, SHAPE, 1, white=16)
    assert white.white == 16 and np.array_equal(
        np.asarray(white.pixels)[0], np.rint(written["cat"][0].transpose(2, 0, 1) / 255 * 16).astype(np.uint8)
    )
    write_folder(tmp_path / "gray", kind="png")
    Image.fromarray(pixels(1, colour=False)[0]).save(tmp_path / "gray" / "cat" / "0.png")
    gray = np.asarray(open_recorded(tmp_path / "gray", NAMES, SHAPE, 1).pixels)[0]
    assert np.array_equal(gray[0], gray[1]) and np.array_equal(gray[0], pixels(1, colour=False)[0])


def test_decoding_is_cached(pets, monkeypatch):
    root, _ = pets
    first = open_recorded(root, NAMES, SHAPE, 3)
    monkeypatch.setattr(decode, "read", None)
    monkeypatch.setattr("palimpsest.streams.recorded.read", None)
    again = open_recorded(root, NAMES, SHAPE, 3)
    assert torch.equal(torch.as_tensor(np.array(first.pixels)), torch.as_tensor(np.array(again.pixels)))


def test_a_fingerprint_tells_pictures_apart_and_not_places(pets, tmp_path):
    root, _ = pets
    before = digest(open_recorded(root, NAMES, SHAPE, 3))
    shutil.copytree(root, tmp_path / "elsewhere")
    assert digest(open_recorded(tmp_path / "elsewhere", NAMES, SHAPE, 3)) == before
    assert digest(open_recorded(root, NAMES, SHAPE, 2)) != before
    assert digest(open_recorded(root, PETS, SHAPE, 3)) != before, "other labels"
    shutil.copy(root / "cat" / "0.png", root / "cat" / "1.png")
    assert digest(open_recorded(root, NAMES, SHAPE, 3)) != before


def test_wrong_folders(pets, tmp_path):
    root, _ = pets

    def refused(names, per_class=1, folder=root) -> str:
        with pytest.raises(RequestError) as error:
            open_recorded(folder, names, SHAPE, per_class)
        assert len(str(error.value).splitlines()) == 1
        return str(error.value)

    assert "is not a folder" in refused(NAMES, folder=tmp_path / "nowhere")
    assert "was made for other classes: it holds cat, dog, eel, and these were asked for: bus, car" in refused(
        {0: "bus", 1: "car"}
    )
    assert "has no pictures of 1 of the 2 classes that were asked for (bus), and holds cat" in refused(
        {0: "bus", 1: "cat"}
    )
    assert 'has 3 pictures of the class "cat" (in cat), and 4 of each class were asked for' in refused({0: "cat"}, 4)
    assert "has one sub-folder for several classes (cat, C.A.T.)" in refused({0: "cat", 1: "C.A.T."})
    assert open_recorded(root, {0: "cat"}, SHAPE, 1).labels.tolist() == [0], "other classes may be missing"
    (root / "dog" / "1.png").write_bytes(b"not a picture")
    assert "dog/1.png is not a picture in any format" in refused({0: "dog"}, 3)
    for file in (root / "eel").iterdir():
        file.unlink()
    assert 'has no pictures of the class "eel"' in refused({0: "eel"}, 0)


@pytest.fixture
def drawn(tmp_path) -> Path:
    """A set with its manifest, whose sub-folders are wnids."""
    from tests.synthesis.tiny_model import save_tiny

    (tmp_path / "prompts.csv").write_text("class_id,name,wnid\n0,cat,n00000001\n1,big_dog,n00000002\n")
    how = {"count": 3, "steps": 1, "batch": 4, "size": 6, "device": "cpu", "display": SynthesisDisplay(quiet=True)}
    model = save_tiny(tmp_path / "model")
    palimpsest.synthesize(model, prompts=tmp_path / "prompts.csv", out=tmp_path / "drawn", **how)
    return tmp_path / "drawn"


def test_a_manifest_says_which_class_a_folder_holds_and_what_belongs_into_it(drawn):
    names = {5: "big dog", 2: "cat"}
    pictures = open_recorded(drawn, names, SHAPE, 3)
    assert pictures.labels.tolist() == [2, 2, 2, 5, 5, 5]
    first = np.asarray(Image.open(drawn / "n00000002" / "00000.png")).transpose(2, 0, 1)
    assert np.array_equal(np.asarray(pictures.of_classes([5]).pixels)[0], first)
    assert len(open_recorded(drawn, {0: "n00000001"}, SHAPE, 3)) == 3, "a wnid is a name, too"
    with pytest.raises(RequestError, match="made for other classes"):
        open_recorded(drawn, {0: "bus", 1: "car"}, SHAPE, 3)

    shutil.copy(drawn / "n00000001" / "00000.png", drawn / "n00000002" / "00001.png")
    with pytest.raises(RequestError, match="00001.png is not the picture that the manifest lists .its sha256 differs"):
        open_recorded(drawn, names, SHAPE, 3)
    assert len(open_recorded(drawn, {2: "cat"}, SHAPE, 3)) == 3, "only what is asked for is looked at"
    (drawn / "n00000001" / "00001.png").unlink()
    with pytest.raises(
        RequestError, match="n00000001 holds 2 and 3 are listed, and n00000001/00001.png is listed there and missing"
    ):
        open_recorded(drawn, {2: "cat"}, SHAPE, 1)
    (drawn / "manifest.json").unlink()
    assert len(open_recorded(drawn, {0: "n00000001"}, SHAPE, 2)) == 2


def test_two_classes_of_one_name_are_told_apart_by_their_numbers(drawn):
    """Both are cranes to the manifest and to the stream; a stream in which one is, but with another number, is not guessed at."""
    manifest = json.loads((drawn / "manifest.json").read_text())
    for entry in manifest["classes"]:
        entry["name"] = "crane"
    (drawn / "manifest.json").write_text(json.dumps(manifest))
    first, second, *_ = (entry["class_id"] for entry in manifest["classes"])
    pictures = open_recorded(drawn, {first: "crane", second: "crane"}, SHAPE, 1)
    expected = [np.asarray(Image.open(drawn / entry["folder"] / "00000.png")) for entry in manifest["classes"][:2]]
    for number, picture in zip((first, second), expected, strict=True):
        assert np.array_equal(np.asarray(pictures.of_classes([number]).pixels)[0], picture.transpose(2, 0, 1))
    with pytest.raises(RequestError, match="was made for other classes"):
        open_recorded(drawn, {99: "crane"}, SHAPE, 1)


def test_a_picture_more_than_the_manifest_lists(drawn):
    shutil.copy(drawn / "n00000001" / "00000.png", drawn / "n00000001" / "mine.png")
    with pytest.raises(RequestError, match="holds 4 and 3 are listed, and n00000001/mine.png is not listed there"):
        open_recorded(drawn, {2: "cat"}, SHAPE, 1)


def test_damaged_and_foreign_manifests(drawn):
    whole = json.loads((drawn / "manifest.json").read_text())
    for text, sentence in (
        ("{", "manifest.json is damaged"),
        ("{}", "manifest.json is damaged, or not the manifest of a set of pictures .KeyError"),
        (json.dumps({**whole, "format": 99}), "has the format 99, and this version reads format 1"),
    ):
        (drawn / "manifest.json").write_text(text)
        with pytest.raises(RequestError, match=sentence):
            open_recorded(drawn, {2: "cat"}, SHAPE, 1)


def test_a_set_that_is_not_all_drawn_yet_is_refused(drawn):
    (drawn / ".synthesis").mkdir()
    assert len(open_recorded(drawn, {2: "cat"}, SHAPE, 1)) == 1
    (drawn / "manifest.json").unlink()
    with pytest.raises(RequestError, match="are not all drawn yet; go on with"):
        open_recorded(drawn, {0: "n00000001"}, SHAPE, 1)


def test_reading_needs_nothing_of_text_to_image():
    code = "import sys, palimpsest.streams.recorded; sys.exit(bool({'diffusers', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
