"""Parquet in the hub's layout: which files and columns are read, and what is refused."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.parquet import parquet

from .sets import PETS, encoded, pixels, write_parquet

LABELS = [0, 1, 2, 2, 1, 0]


def read(root, **options):
    return parquet(StreamOptions(path=str(root), **options), torch.device("cpu"))


def last(pictures):
    return pictures.pixels.numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.parquet", "test.parquet"),
        ("data/train-00000-of-00001.parquet", "data/validation-00000-of-00001.parquet"),
        ("train/0000.parquet", "valid/0000.parquet"),
    ],
)
def test_pictures_labels_and_names_come_out_as_they_went_in(tmp_path, train, test):
    ours, theirs = pixels(6), pixels(3, seed=1)
    write_parquet(tmp_path / train, ours, LABELS)
    write_parquet(tmp_path / test, theirs, [2, 1, 0])
    data = read(tmp_path)
    assert np.array_equal(last(data.train), ours) and data.train.labels.tolist() == LABELS
    assert np.array_equal(last(data.test), theirs) and data.test.labels.tolist() == [2, 1, 0]
    assert data.class_names == PETS


def test_several_files_follow_each_other_by_name(tmp_path):
    first, second = pixels(2), pixels(300, seed=1)
    write_parquet(tmp_path / "data/train-00001-of-00002.parquet", second, [1] * 300)
    write_parquet(tmp_path / "data/train-00000-of-00002.parquet", first, [0, 0])
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", first, [0, 1])
    assert np.array_equal(last(read(tmp_path).train), np.concatenate([first, second]))


@pytest.mark.parametrize(("image", "label"), [("img", "fine_label"), ("image", "labels")])
def test_other_column_names_of_the_hub_are_known(tmp_path, image, label):
    write_parquet(tmp_path / "train.parquet", pixels(6), LABELS, image=image, label=label)
    data = read(tmp_path)
    assert data.class_names == PETS and len(data.train) == 3 and len(data.test) == 3


def test_pictures_may_be_plain_bytes(tmp_path):
    ours = pixels(4)
    table = pa.table({"image": [encoded(picture) for picture in ours], "label": [0, 1, 1, 0]})
    pq.write_table(table, tmp_path / "train.parquet")
    data = read(tmp_path, test_share=0.5)
    assert sorted(p.tobytes() for p in [*last(data.train), *last(data.test)]) == sorted(p.tobytes() for p in ours)


@pytest.mark.parametrize("metadata", [None, {"huggingface": "{not json"}, {"huggingface": json.dumps({"info": []})}])
def test_classes_without_names_are_called_by_their_numbers(tmp_path, metadata):
    write_parquet(tmp_path / "train.parquet", pixels(6), LABELS, names=None)
    table = pq.read_table(tmp_path / "train.parquet").replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "train.parquet")
    assert read(tmp_path).class_names == ("0", "1", "2")


def test_a_bad_picture_is_named_by_file_row_and_path_or_skipped(tmp_path):
    pictures = [*map(encoded, pixels(5)), b"no picture"]
    write_parquet(tmp_path / "train.parquet", pictures, LABELS)
    write_parquet(tmp_path / "test.parquet", pixels(3), [0, 1, 2])
    with pytest.raises(RequestError, match=r"^train\.parquet row 5 \(5\.png\) is not a picture"):
        read(tmp_path)
    stream = open_stream(StreamOptions(path=str(tmp_path), bad_images="skip", tasks=3), 0, "cpu")
    assert stream.skipped == 1 and len(stream.train) == 5


def test_a_label_without_a_class_is_refused(tmp_path):
    write_parquet(tmp_path / "train.parquet", pixels(3), [0, 5, 1])
    with pytest.raises(RequestError, match="label 5, and it has 3 classes; legal labels are 0 to 2"):
        read(tmp_path)
    write_parquet(tmp_path / "train.parquet", pixels(3), [0, None, 1], names=None)
    with pytest.raises(RequestError, match="label -1"):
        read(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    write_parquet(tmp_path / "train.parquet", pixels(6), LABELS)
    data = (tmp_path / "train.parquet").read_bytes()
    (tmp_path / "train.parquet").write_bytes(data[:-20])
    with pytest.raises(RequestError, match=r"train\.parquet cannot be read as parquet"):
        read(tmp_path)


def test_files_without_the_columns_are_refused_with_what_they_have(tmp_path):
    pq.write_table(pa.table({"picture": [b""], "label": [0]}), tmp_path / "train.parquet")
    with pytest.raises(RequestError, match="has the columns picture, label, and needs one of image, img"):
        read(tmp_path)
    pq.write_table(pa.table({"image": [b""], "label": ["cat"]}), tmp_path / "train.parquet")
    with pytest.raises(RequestError, match='"label" holds string'):
        read(tmp_path)


def test_a_folder_without_training_file_is_refused(tmp_path):
    write_parquet(tmp_path / "pets.parquet", pixels(6), LABELS)
    with pytest.raises(RequestError, match=r"no train\*\.parquet \(found: pets\.parquet\)"):
        read(tmp_path)
