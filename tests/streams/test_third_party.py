"""A third party's stream: the same pictures come out, whatever kind of image they went in as."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from palimpsest.core.errors import RequestError
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.stream import from_tasks

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)  # (N, H, W, C)
LAST = COLOUR.transpose(0, 3, 1, 2)

KINDS = {
    "pillow": lambda picture: Image.fromarray(picture),
    "numpy uint8": lambda picture: picture,
    "numpy float": lambda picture: (picture.transpose(2, 0, 1) / 255).astype(np.float32),
    "torch uint8": lambda picture: torch.from_numpy(picture).permute(2, 0, 1),
    "torch float": lambda picture: torch.from_numpy(picture).permute(2, 0, 1) / 255,
}


@dataclass
class Theirs:
    classes: Any
    train: Any
    test: Any = ()


class Indexed:
    """Has a length and an index, and never raises IndexError."""

    def __init__(self, pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, number):
        return self.pairs[number % len(self.pairs)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("give", [list, iter, Indexed], ids=["list", "iterator", "indexed"])
def test_every_kind_of_image_gives_the_same_pixels(kind, give):
    pairs = [(KINDS[kind](picture), number % 2, "something else") for number, picture in enumerate(COLOUR)]
    stream = from_tasks([Theirs([0, 1], give(pairs[:4]), give(pairs[4:]))])
    assert np.array_equal(stream.train.pixels, LAST[:4]) and np.array_equal(stream.test.pixels, LAST[4:])
    assert stream.train.labels.tolist() == [0, 1, 0, 1] and stream.name == "python"


@pytest.mark.parametrize("kind", ["numpy uint8", "numpy float", "torch uint8", "torch float"])
@pytest.mark.parametrize("labels", [list, np.array, torch.tensor])
def test_two_arrays_give_what_pairs_give(kind, labels):
    stack = torch.stack if kind.startswith("torch") else np.stack
    images, numbers = stack([KINDS[kind](picture) for picture in COLOUR]), labels([0, 1, 0, 1, 0, 1])
    for pair in ((images, numbers), [images, numbers]):
        stream = from_tasks([Theirs([0, 1], pair, (images[:2], numbers[:2]))])
        assert np.array_equal(stream.train.pixels, LAST) and np.array_equal(stream.test.pixels, LAST[:2])
        assert stream.train.labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_two_gray_arrays_have_one_channel():
    stream = from_tasks([Theirs([0], (COLOUR[..., 0], [0] * 6), (COLOUR[:0, :, :, 0], []))])
    assert stream.shape == (1, 5, 4) and np.array_equal(stream.train.pixels[:, 0], COLOUR[..., 0]) and not len(stream.test)


def test_a_task_in_which_nothing_arrives_is_a_round():
    stream = from_tasks([Theirs([0], [(COLOUR[0], 0)]), Theirs([], [])])
    assert stream.has_rounds and stream.class_names == ("0",)


@pytest.mark.parametrize(
    "image",
    [COLOUR[0, :, :, 0], torch.from_numpy(COLOUR[0, :, :, 0].copy()), Image.fromarray(COLOUR[0, :, :, 0])],
    ids=["numpy", "torch", "pillow"],
)
def test_gray_pictures_get_one_channel(image):
    stream = from_tasks([Theirs([3], [(image, torch.tensor(3))])])
    assert stream.shape == (1, 5, 4) and np.array_equal(stream.train.pixels[0, 0], COLOUR[0, :, :, 0])


def test_classes_may_come_again_and_tasks_are_views_of_the_whole():
    ours = Pictures(torch.from_numpy(LAST.copy()), torch.tensor([0, 1, 0, 1, 0, 1]))
    tasks = [Theirs([0, 1], ours.subset(torch.arange(4)), ours), Theirs([1], ours.subset(torch.tensor([5])), ())]
    stream = from_tasks(iter(tasks), name="theirs")
    assert stream.seen(2) == (0, 1) and stream.class_names == ("0", "1") and stream.name == "theirs"
    assert np.array_equal(stream.tasks[1].train.pixels, LAST[5:]) and len(stream.tasks[1].test) == 0
    assert len(stream.train) == 5
    stream.train.pixels.zero_()
    moved = from_tasks([Theirs([0], [(COLOUR[0], 0)]), Theirs([1], [(COLOUR[1], 1)])])
    moved.train.pixels.zero_()
    assert moved.tasks[1].train.pixels.sum() == 0


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        ([], 'the stream "python" gave no task'),
        ([Theirs([0], [])], "task 1's training data holds no pictures"),
        ([Theirs([0], [(COLOUR[0], 0), (COLOUR[0][:4], 0)])], r"picture 1 of task 1's training data.*\(3, 4, 4\)"),
        ([Theirs([0], [(COLOUR[0], 0)]), Theirs([1], [(COLOUR[0][:, :, 0], 1)])], r"picture 0 of task 2.*\(1, 5, 4\)"),
        ([Theirs([0], [(COLOUR[0], 0)], [(COLOUR[0][:4], 0)])], "picture 0 of task 1's test data"),
        ([Theirs([0, 1], [(COLOUR[0], 0)])], "task 1 lists class 1, and has no training picture"),
        ([Theirs([0], [(COLOUR[0], 0), (COLOUR[0], 7)])], "task 1 has pictures of class 7, and lists the classes 0"),
        ([Theirs([0], [(torch.full((1, 2, 2), 1.5), 0)])], "values from 1.5 to 1.5; legal"),
        ([Theirs([0], [(torch.full((1, 2, 2), torch.nan), 0)])], "values from nan"),
        ([Theirs([0], [(COLOUR[0].astype(np.int64), 0)])], r"int64 .* legal"),
        ([Theirs([0], [(COLOUR[0][..., :2], 0)])], r"uint8 .* legal"),
        ([Theirs([0], [("picture.png", 0)])], "is str; legal"),
        (5, "one after another, and this one is 5; give a list of tasks"),
        ([((COLOUR, [0] * 6), (COLOUR, [0] * 6))], r"task 1 of the stream is \(\(array\(.{1,60}, which has no classes, train"),
        ([Theirs(None, [(COLOUR[0], 0)])], "the classes of task 1 are None; list"),
        ([Theirs(["cat"], [(COLOUR[0], 0)])], "a class of task 1 is 'cat'; a class is a whole number from 0"),
        ([Theirs([-1, 0], [(COLOUR[0], -1), (COLOUR[0], 0)])], "the label of picture 0 .* is -1; a class"),
        ([Theirs([0], [(COLOUR[0], "cat")])], "the label of picture 0 of task 1's training data is 'cat'"),
        ([Theirs([0], [(COLOUR[0], 0.5)])], "the label of picture 0 of task 1's training data is 0.5"),
        ([Theirs([0], [(COLOUR[0], torch.eye(2)[0])])], "the label of picture 0 of task 1's training data is tensor"),
        ([Theirs([0], None)], r"training data is None; give it as \(image, label\) pairs, or as two arrays"),
        ([Theirs([0], {"image": COLOUR, "label": [0] * 6})], r"training data is {'image'.*; give it as \(image, label\) pairs"),
        ([Theirs([0], COLOUR)], "picture 0 of task 1's training data is no pair but array"),
        ([Theirs([0], [{"image": COLOUR[0], "label": 0}])], "is no pair but {'image'"),
        ([Theirs([0], [COLOUR[0]])], "is no pair but array"),
        ([Theirs([0], (COLOUR, [0] * 5))], r"holds 6 images, and labels of the shape \(5,\); give 6 class numbers"),
        ([Theirs([0], (COLOUR, np.eye(6)))], r"holds 6 images, and labels of the shape \(6, 6\)"),
        ([Theirs([0], (LAST, [0] * 6))], r"picture 0 of .* is uint8 \(3, 5, 4\); legal: .*uint8 numpy \(H, W\) or \(H, W, C\)"),
        ([Theirs([0], (LAST / 127.5 - 1, [0] * 6))], r"values from -.* \(\(x \+ 1\) / 2 brings \[-1, 1\] there\)"),
        ([Theirs([0], [([[0, 1], [0]], 0)])], "is list; legal"),
        ([Theirs([0], [(np.zeros((1, 0, 0)), 0)])], r"is float64 \(1, 0, 0\); legal"),
        ([Theirs([0], [(Image.new("RGBA", (4, 4)), 0)])], "has the mode RGBA"),
    ],
)
def test_what_cannot_be_a_stream_is_refused_with_its_place(tasks, sentence):
    with pytest.raises(RequestError, match=sentence):
        from_tasks(tasks)


def test_floats_are_rounded_to_the_nearest_gray():
    image = torch.tensor([[[0.001, 0.501, 0.999]]])
    assert from_tasks([Theirs([0], [(image, 0)])]).train.pixels.flatten().tolist() == [0, 128, 255]


def test_bfloat16_pictures_are_read():
    image = torch.tensor([[[0, 1.0]]], dtype=torch.bfloat16)
    assert from_tasks([Theirs([0], [(image, 0)])]).train.pixels.flatten().tolist() == [0, 255]
