"""From options to a stream: which data set is opened, and what an impossible request is told."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from sklearn.datasets import load_digits

from palimpsest.core.errors import RequestError
from palimpsest.streams.open import STREAMS, open_stream
from palimpsest.streams.options import StreamOptions

from .sets import PETS, pixels, write_folder, write_parquet


def test_digits_are_scikit_learns_and_the_split_is_the_same_for_every_seed():
    stream, other = (open_stream(StreamOptions(), seed, "cpu") for seed in (42, 69))
    assert [task.classes for task in stream] == [(2, 6), (1, 8), (4, 5), (0, 9), (3, 7)]
    assert stream.shape == (1, 8, 8) and stream.train.white == 16 and len(stream.train) + len(stream.test) == 1797
    theirs = load_digits()
    both = np.concatenate([stream.train.pixels, stream.test.pixels])[:, 0]
    assert sorted(p.tobytes() for p in both) == sorted(p.astype(np.uint8).tobytes() for p in theirs.images)
    counts = np.bincount(theirs.target)
    assert torch.bincount(stream.test.labels).tolist() == [round(count / 6) for count in counts]
    assert torch.equal(stream.test.pixels, other.test.pixels)
    x, _ = stream.train.take(torch.arange(len(stream.train)))
    assert x.min() == -1 and x.max() == 1


def test_digits_can_be_resized_and_coloured():
    stream = open_stream(StreamOptions(size=12, channels=3), 0, "cpu")
    assert stream.shape == (3, 12, 12) and stream.train.white == 255
    first = open_stream(StreamOptions(), 0, "cpu").train.pixels[0, 0].numpy()
    full = Image.fromarray(np.rint(first * (255 / 16)).astype(np.uint8)).resize((12, 12), Image.Resampling.BILINEAR)
    assert np.array_equal(stream.train.pixels[0, 1], np.asarray(full))
    assert open_stream(StreamOptions(channels=3), 0, "cpu").shape == (3, 8, 8)


def test_the_order_seed_is_the_runs_unless_it_is_set():
    assert open_stream(StreamOptions(order_seed=42), 7, "cpu").tasks[0].classes == (2, 6)
    assert open_stream(StreamOptions(order="sorted", tasks=2), 7, "cpu").tasks[1].classes == (5, 6, 7, 8, 9)


def test_data_sets_are_found_by_name_under_the_root_or_by_path(tmp_path, monkeypatch):
    write_folder(tmp_path / "pets")
    write_parquet(tmp_path / "beasts" / "train.parquet", pixels(6), [0, 1, 2, 2, 1, 0])
    monkeypatch.setenv("PALIMPSEST_DATA", str(tmp_path))
    by_name = open_stream(StreamOptions(name="pets", tasks=3), 0, "cpu")
    assert by_name.name == "pets" and by_name.class_names == PETS
    assert open_stream(StreamOptions(name="beasts", tasks=3), 0, "cpu").name == "beasts"
    monkeypatch.delenv("PALIMPSEST_DATA")
    for path in (tmp_path, tmp_path / "pets"):
        stream = open_stream(StreamOptions(name="pets", path=str(path), tasks=3), 0, "cpu")
        assert stream.name == "pets" and torch.equal(stream.train.pixels, by_name.train.pixels)
    assert open_stream(StreamOptions(path=str(tmp_path / "pets"), tasks=1), 0, "cpu").name == "pets"


def test_an_unknown_data_set_is_told_the_near_match_and_where_they_lie(tmp_path, monkeypatch):
    (tmp_path / "fashion_mnist").mkdir()
    monkeypatch.setenv("PALIMPSEST_DATA", str(tmp_path))
    with pytest.raises(RequestError, match=r'"fashion_mnits"\. Did you mean "fashion_mnist"\?.*digits.*stream\.path='):
        open_stream(StreamOptions(name="fashion_mnits"), 0, "cpu")
    monkeypatch.delenv("PALIMPSEST_DATA")
    with pytest.raises(RequestError, match=r'Did you mean "digits"\?.*\$PALIMPSEST_DATA names \(now unset\)'):
        open_stream(StreamOptions(name="digit"), 0, "cpu")
    with pytest.raises(RequestError, match="there is no such folder"):
        open_stream(StreamOptions(name="pets", path=str(tmp_path / "gone")), 0, "cpu")


def test_class_lists_may_be_numbers_or_names(tmp_path):
    write_folder(tmp_path / "pets")
    path = str(tmp_path / "pets")
    by_name = open_stream(StreamOptions(path=path, tasks=[["eel"], ["cat", "dog"]]), 0, "cpu")
    by_number = open_stream(StreamOptions(path=path, tasks=[[2], [0, 1]]), 0, "cpu")
    assert [task.classes for task in by_name] == [(2,), (0, 1)] == [task.classes for task in by_number]
    with pytest.raises(RequestError, match=r'unknown class "eeel"\. Did you mean "eel"'):
        open_stream(StreamOptions(path=path, tasks=[["eeel"]]), 0, "cpu")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tasks": 11}, "11 tasks were asked for, and there are 10 classes"),
        ({"tasks": [[0, 1], [1]]}, r'class 1 \("1"\) is listed twice'),
        ({"tasks": [[12]]}, "class 12, which is unknown"),
        ({"limit": 3, "order": "sorted"}, r"has no training picture; .*raise stream\.limit"),
        ({"order": [1, 2, 3]}, "each of the classes 0, 1"),
    ],
)
def test_impossible_splits_are_refused_with_a_sentence(changes, sentence):
    with pytest.raises(RequestError, match=sentence):
        open_stream(StreamOptions(**changes), 0, "cpu")


def test_an_empty_class_folder_is_refused_by_name(tmp_path):
    write_folder(tmp_path / "pets")
    (tmp_path / "pets" / "cow").mkdir()
    with pytest.raises(RequestError, match=r'class 1 \("cow"\) of task 1 has no training picture'):
        open_stream(StreamOptions(path=str(tmp_path / "pets"), tasks=1), 0, "cpu")


def test_the_largest_set_that_fits_is_held_on_the_device(monkeypatch):
    size = open_stream(StreamOptions(), 0, "cpu").train.pixels.nbytes
    for free, resident in ((100 * size, True), (2 * size, False)):
        monkeypatch.setattr("psutil.virtual_memory", lambda free=free: type("Memory", (), {"available": free}))
        assert open_stream(StreamOptions(), 0, "cpu").train.resident is resident


@pytest.mark.parametrize(
    "wrong", [{"nmae": "x"}, {"tasks": 0}, {"channels": 2}, {"size": -1}, {"resize": "x"}, {"test_share": 1.0}]
)
def test_options_outside_their_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        StreamOptions(**wrong)


def test_every_option_says_what_it_is():
    assert all(field.description for field in StreamOptions.model_fields.values())


def test_streams_can_be_listed_from_the_files_alone():
    """`list` must not import torch: each stream is a top-level function of the file of its name, with a docstring."""
    for name, function in STREAMS.items():
        file = Path(inspect.getsourcefile(function))
        found = [node for node in ast.parse(file.read_text()).body if getattr(node, "name", "") == name]
        assert file.stem == name and ast.get_docstring(found[0])


def test_fashion_mnist_has_its_published_mean_and_deviation(real_data):
    stream = open_stream(StreamOptions(name="fashion_mnist", path=str(real_data)), 42, "cpu")
    assert (len(stream.train), len(stream.test), stream.shape) == (60000, 10000, (1, 28, 28))
    assert [len(task.train) for task in stream] == [12000] * 5 and [len(task.test) for task in stream] == [2000] * 5
    counts, values = np.bincount(np.asarray(stream.train.pixels).ravel(), minlength=256), np.arange(256) / 255
    mean = np.average(values, weights=counts)
    assert mean == pytest.approx(0.28604, abs=5e-6)
    assert np.average((values - mean) ** 2, weights=counts) ** 0.5 == pytest.approx(0.35302, abs=5e-6)
    assert stream.class_names[0] == "t-shirt_top" and stream.class_names[9] == "ankle_boot"
