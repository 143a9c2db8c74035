"""Folders of pictures: which layouts are read, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from palimpsest.core.errors import RequestError
from palimpsest.streams.decode import EXTENSIONS
from palimpsest.streams.folder import folder
from palimpsest.streams.options import StreamOptions

from .sets import encoded, pixels, write_folder


def read(root, **options):
    return folder(StreamOptions(path=str(root), **options), torch.device("cpu"))


def of_class(pictures, label):
    return pictures.of_classes([label]).pixels.numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("test_name", ["test", "validation"])
def test_train_and_test_folders_give_every_picture_its_class(tmp_path, test_name):
    train = write_folder(tmp_path / "train", classes=("dog", "cat"))
    test = write_folder(tmp_path / test_name, classes=("dog", "cat"), count=2, seed=9)
    data = read(tmp_path)
    assert data.class_names == ("cat", "dog") and data.name == tmp_path.name and data.skipped == 0
    for label, name in enumerate(data.class_names):
        assert np.array_equal(of_class(data.train, label), train[name])
        assert np.array_equal(of_class(data.test, label), test[name])


def test_without_test_a_share_of_each_class_is_held_out_by_seed(tmp_path):
    written = write_folder(tmp_path, count=10)
    data = read(tmp_path, test_share=0.3)
    assert torch.bincount(data.test.labels).tolist() == [3, 3, 3] and len(data.train) == 21
    both = np.concatenate([of_class(data.train, 0), of_class(data.test, 0)])
    assert {p.tobytes() for p in both} == {p.tobytes() for p in written["cat"]}, "nothing lost, nothing twice"
    assert torch.equal(data.test.pixels, read(tmp_path, test_share=0.3).test.pixels)
    assert not torch.equal(data.test.pixels, read(tmp_path, test_share=0.3, split_seed=1).test.pixels)


def test_a_flat_folder_is_one_class_named_after_it(tmp_path):
    root = tmp_path / "otters"
    root.mkdir()
    for number, picture in enumerate(pixels(5)):
        (root / f"{number}.png").write_bytes(encoded(picture))
    data = read(root)
    assert data.class_names == ("otters",) and len(data.train) == 4 and len(data.test) == 1


def test_train_beside_other_classes_is_a_class(tmp_path):
    write_folder(tmp_path, classes=("bus", "train"))
    assert read(tmp_path).class_names == ("bus", "train")


def test_all_extensions_are_read_in_any_case_and_hidden_files_are_not(tmp_path):
    root = tmp_path / "cat"
    (root / "deeper").mkdir(parents=True)
    (root / ".thumbs").mkdir()
    kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF"}
    for number, end in enumerate(sorted(EXTENSIONS)):
        data = encoded(pixels(1, seed=number)[0], kinds.get(end, end[1:].upper()))
        (root / f"a{end.upper() if number % 2 else end}").write_bytes(data)
    (root / "deeper" / "b.png").write_bytes(encoded(pixels(1)[0]))
    for hidden in (root / ".c.png", root / ".thumbs" / "d.png", root / "notes.txt"):
        hidden.write_text("no picture")
    data = read(tmp_path)
    assert len(data.train) + len(data.test) == len(EXTENSIONS) + 1


def test_options_reach_the_pictures(tmp_path):
    write_folder(tmp_path / "train")
    write_folder(tmp_path / "test", count=1)
    data = read(tmp_path, size=4, channels=1, limit=5)
    assert data.train.shape == data.test.shape == (1, 4, 4) and len(data.train) == 5 and len(data.test) == 3
    assert not read(tmp_path, on_device="no").train.resident and read(tmp_path, on_device="yes").train.resident


def test_pictures_held_on_disk_and_on_the_device_are_the_same(tmp_path):
    write_folder(tmp_path)
    here, there = (read(tmp_path, on_device=answer).train for answer in ("yes", "no"))
    rows = torch.tensor([4, 0, 2])
    assert torch.equal(here.take(rows)[0], there.take(rows)[0])


def test_a_bad_picture_is_refused_by_file_name_or_skipped_and_counted(tmp_path):
    write_folder(tmp_path / "train")
    write_folder(tmp_path / "test")
    bad = tmp_path / "train" / "dog" / "1.png"
    bad.write_bytes(bad.read_bytes()[:-40])
    Image.new("RGBA", (6, 6)).save(tmp_path / "test" / "eel" / "0.png")
    with pytest.raises(RequestError, match=r"train/dog/1\.png cannot be read .*bad_images=skip"):
        read(tmp_path)
    data = read(tmp_path, bad_images="skip")
    assert (len(data.train), len(data.test), data.skipped) == (8, 8, 2)
    assert read(tmp_path, bad_images="skip").skipped == 2, "also when it comes from the cache"


def test_a_changed_picture_is_decoded_again(tmp_path):
    write_folder(tmp_path)
    before = read(tmp_path).train.pixels.clone()
    (tmp_path / "cat" / "0.png").write_bytes(encoded(np.zeros((6, 6, 3), np.uint8)))
    (tmp_path / "cat" / "1.png").write_bytes(encoded(np.zeros((6, 6, 3), np.uint8)))
    assert not torch.equal(before, read(tmp_path).train.pixels)


@pytest.mark.parametrize("where", ["train", "test"])
def test_mixed_sizes_are_refused_with_what_to_set(tmp_path, where):
    write_folder(tmp_path / "train")
    write_folder(tmp_path / "test")
    (tmp_path / where / "eel" / "2.png").write_bytes(encoded(pixels(1, size=9)[0]))
    with pytest.raises(RequestError, match=rf"{where}/eel/2\.png is 9×9 .* 6×6; .*stream\.size=6"):
        read(tmp_path)
    assert read(tmp_path, size=6).train.shape == (3, 6, 6)


def test_folders_that_hold_no_data_set_are_refused(tmp_path):
    with pytest.raises(RequestError, match=r"holds no pictures .*CLASS"):
        read(tmp_path)
    write_folder(tmp_path)
    (tmp_path / "loose.png").write_bytes(encoded(pixels(1)[0]))
    with pytest.raises(RequestError, match=r"both pictures \(loose\.png\) and folders \(cat\)"):
        read(tmp_path)


def test_a_test_class_without_training_folder_is_refused(tmp_path):
    write_folder(tmp_path / "train", classes=("cat",))
    write_folder(tmp_path / "test", classes=("cat", "dog"))
    with pytest.raises(RequestError, match="class folder dog"):
        read(tmp_path)
