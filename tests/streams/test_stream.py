"""Laws of the split into tasks: which classes, in which order, and what is refused."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.streams.groups import class_groups
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.stream import split_by_class

NAMES = ("cat", "dog", "eel", "fox")


def pictures(labels):
    pixels = torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return Pictures(pixels.contiguous(), torch.tensor(labels))


def split(groups, train=(0, 1, 2, 3, 3, 2, 1, 0), test=(3, 2, 1, 0)):
    return split_by_class(pictures(train), pictures(test), groups, name="pets", class_names=NAMES)


@pytest.mark.parametrize(
    ("seed", "published"),
    [
        (42, ((2, 6), (1, 8), (4, 5), (0, 9), (3, 7))),
        (69, ((0, 2), (3, 5), (4, 1), (6, 9), (8, 7))),
        (1714, ((7, 3), (8, 0), (1, 4), (6, 2), (9, 5))),
    ],
)
def test_random_orders_are_the_published_ones(seed, published):
    """arXiv 2311.14028: torch's global generator seeded, then randperm; ours leaves the global generator alone."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    assert class_groups(range(10), 5, "random", seed) == published
    assert torch.rand(1) == expected


def test_groups_are_consecutive_and_as_equal_as_they_can_be():
    assert class_groups(range(7), 3, "sorted") == ((0, 1, 2), (3, 4), (5, 6))
    assert class_groups(range(4), 2, [3, 1, 0, 2]) == ((3, 1), (0, 2))
    assert class_groups(range(4), [[2], [0, 3]], "random") == ((2,), (0, 3))


@pytest.mark.parametrize("tasks", [5, 0])
def test_fewer_classes_than_tasks_are_refused(tasks):
    with pytest.raises(RequestError, match=f"{tasks} tasks were asked for, and there are 4 classes"):
        class_groups(range(4), tasks)


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 1, 2, 2], "sideways"])
def test_an_order_that_is_not_one_of_the_classes_is_refused(order):
    with pytest.raises(RequestError, match="each of the classes 0, 1, 2, 3 once"):
        class_groups(range(4), 2, order)


def test_each_task_holds_the_pictures_of_its_classes_only():
    stream = split([(2, 0), (3, 1)])
    assert [task.number for task in stream] == [1, 2] and len(stream) == 2 and stream.shape == (1, 2, 2)
    assert stream.seen(1) == (2, 0) and stream.seen(2) == (2, 0, 3, 1) and stream.seen(0) == ()
    assert [task.train.labels.tolist() for task in stream] == [[0, 2, 2, 0], [1, 3, 3, 1]]
    assert stream.tasks[1].test.pixels[:, 0, 0, 0].tolist() == [0, 2]
    assert len(stream.train) == 8 and len(stream.test) == 4


def test_a_stream_of_some_classes_holds_no_others():
    stream = split([(2,), (3,)])
    assert sorted(set(stream.train.labels.tolist())) == [2, 3] == sorted(stream.test.labels.tolist())


def test_moving_a_stream_keeps_its_storage_shared():
    stream = split([(2, 0), (3, 1)]).to("cpu")
    stream.train.pixels.zero_()
    assert all(task.train.pixels.sum() == 0 for task in stream) and stream.test.pixels.sum() > 0


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ([(0, 1), (1,)], r'class 1 \("dog"\) is listed twice, in tasks 1 and 2'),
        ([(0, 0)], r'class 0 \("cat"\) is listed twice'),
        ([(0,), (4,)], "task 2 asks for class 4, which is unknown; legal: 0 to 3"),
        ([(-1,)], "class -1, which is unknown"),
        ([(0,), ()], "task 2 has no classes"),
        ([], "no tasks"),
    ],
)
def test_class_lists_that_make_no_stream_are_refused(groups, sentence):
    with pytest.raises(RequestError, match=sentence):
        split(groups)


def test_an_empty_class_is_refused_by_name():
    with pytest.raises(RequestError, match=r'class 2 \("eel"\) of task 2 has no training picture'):
        split([(0, 1), (2, 3)], train=(0, 1, 3))
