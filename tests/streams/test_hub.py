"""Hub data sets through a stand-in for the package `datasets`: same pictures as from the files themselves."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from palimpsest.core.errors import RequestError
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions

from .sets import PETS, encoded, pixels

LABELS = [0, 1, 2, 2, 1, 0]


class Split:
    """The part of a `datasets.Dataset` that we use. Pictures come as stored only after the cast that asks for it."""

    def __init__(self, pictures, labels, name, names=PETS, raw=False):
        self.pictures, self.labels, self.raw, self.names = pictures, labels, raw, names
        self.features = {"img": SimpleNamespace(), "label": SimpleNamespace(names=names)}
        self.column_names, self._fingerprint, self.read = ["img", "label"], name, 0

    def cast_column(self, name, feature):
        assert name == "img" and feature == "as stored"
        self.read += 1
        return Split(self.pictures, self.labels, self._fingerprint, self.names, raw=True)

    def __len__(self):
        return len(self.labels)

    def __iter__(self):
        assert self.raw, "decoded by datasets"
        for picture, label in zip(self.pictures, self.labels, strict=True):
            data = {"bytes": None, "path": str(picture)} if isinstance(picture, Path) else {"bytes": encoded(picture)}
            yield {"img": data, "label": label}


def install(monkeypatch, splits):
    def load_dataset(name):
        if name != "owner/pets":
            raise FileNotFoundError(f"Dataset '{name}' doesn't exist on the Hub")
        return splits

    def image(decode):
        return "decoded" if decode else "as stored"

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset, Image=image))


def options(**changes):
    return StreamOptions(**{"name": "hub:owner/pets", "tasks": 3, "order": "sorted", **changes})


def last(pictures):
    return pictures.pixels.numpy().transpose(0, 2, 3, 1)


def test_pictures_labels_and_names_come_out_as_they_went_in(monkeypatch):
    train, test = pixels(6, seed=20), pixels(3, seed=21)
    splits = {"train": Split(train, LABELS, "print 1"), "test": Split(test, [0, 1, 2], "print 2")}
    install(monkeypatch, splits)
    for _ in range(2):
        stream = open_stream(options(), 0, "cpu")
        assert np.array_equal(last(stream.train), train) and stream.train.labels.tolist() == LABELS
        assert np.array_equal(last(stream.test), test) and stream.class_names == PETS
    assert stream.name == "hub:owner/pets" and stream.seen(3) == (0, 1, 2)
    assert splits["train"].read == 1, "nothing is decoded twice"


def test_pictures_that_the_hub_keeps_as_files_are_read_from_there(monkeypatch, tmp_path):
    train, files = pixels(6, seed=23), [tmp_path / f"{number}.png" for number in range(6)]
    for file, picture in zip(files, train, strict=True):
        file.write_bytes(encoded(picture))
    install(monkeypatch, {"train": Split(files, LABELS, "print 4"), "test": Split(train, LABELS, "print 5")})
    stream = open_stream(options(), 0, "cpu")
    assert np.array_equal(last(stream.train), train) and np.array_equal(last(stream.test), train)


def test_splits_are_options_and_a_missing_test_split_is_made(monkeypatch):
    splits = {"part": Split(pixels(6, seed=22), LABELS, "print 3", names=None)}
    install(monkeypatch, splits)
    stream = open_stream(options(train_split="part", test_share=0.5), 0, "cpu")
    assert len(stream.train) == 3 == len(stream.test) and stream.class_names == ("0", "1", "2")
    with pytest.raises(RequestError, match=r'unknown split of owner/pets "train".*part'):
        open_stream(options(), 0, "cpu")
    with pytest.raises(RequestError, match=r'"held".*part'):
        open_stream(options(train_split="part", test_split="held"), 0, "cpu")


def test_without_the_extra_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(RequestError, match=r"pip install 'palimpsest\[hub\]'"):
        open_stream(options(), 0, "cpu")


def test_what_the_hub_does_not_have_is_refused_with_its_words(monkeypatch):
    install(monkeypatch, {})
    with pytest.raises(RequestError, match=r'"owner/pet" could not be loaded \(Dataset .*doesn\'t exist'):
        open_stream(options(name="hub:owner/pet"), 0, "cpu")
