"""Few labels: so many of each class, chosen by a seed."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.streams.labels import with_labels
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions


@pytest.fixture(scope="module")
def stream():
    return open_stream(StreamOptions(tasks=5), 0, "cpu")


def counts(task) -> dict[int, int]:
    return {number: int((task.told.labels == number).sum()) for number in task.classes}


def test_a_number_of_each_class_or_a_share(stream):
    assert all(set(counts(task).values()) == {4} for task in with_labels(stream, 4, 0).tasks)
    for task in with_labels(stream, 0.1, 0).tasks:
        assert counts(task) == {
            number: round(0.1 * int((task.train.labels == number).sum())) for number in task.classes
        }
    assert all(task.told is task.train for task in with_labels(stream, 0, 0).tasks)


def test_which_ones_is_a_matter_of_the_seed_alone(stream):
    first, again, other = (with_labels(stream, 4, seed).tasks[0].labelled for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (0.001, r"of the \d+ training pictures of class \d .* that would be 0; give a number from 1 to"),
        (5000, r"that would be 5000"),
        (4.5, "give a share below 1, or a whole number"),
    ],
)
def test_labels_that_cannot_be_had_are_refused(stream, labels, sentence):
    with pytest.raises(RequestError, match=sentence):
        with_labels(stream, labels, 0)
