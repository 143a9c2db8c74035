"""Accuracy, by hand."""

import torch

from palimpsest.evaluation.accuracy import Predictions, predict, together
from palimpsest.streams.pictures import Pictures

SAID = Predictions(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2]))


def test_accuracy_is_the_share_of_right_predictions():
    assert SAID.accuracy() == 0.75
    assert SAID.accuracy([2]) == 0.5 and SAID.accuracy([0, 1]) == 1.0
    assert SAID.accuracy([7]) is None, "no pictures: absent, never 0"


def test_predictions_are_the_likeliest_of_all_classes_in_the_order_of_the_pictures():
    """A classifier that reads the class off the picture."""
    labels = torch.arange(4500) % 3
    pixels = (labels * 100).to(torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
    pictures = Pictures(pixels, labels)

    def logits(x):
        return -(x.mean(dim=(1, 2, 3))[:, None] - torch.tensor([-1.0, 100 / 127.5 - 1, 200 / 127.5 - 1])).abs()

    right, wrong = predict(lambda x: (logits(x), -logits(x)), pictures, "cpu")
    assert right.accuracy() == 1.0 and wrong.accuracy() == 0.0
    nothing = pictures.subset(torch.zeros(0, dtype=torch.int64))
    assert [each.accuracy() for each in predict(lambda x: (logits(x),) * 2, nothing, "cpu")] == [None, None]


def test_parts_are_put_together():
    assert together([SAID, SAID]).accuracy() == 0.75 and len(together([SAID, SAID]).true) == 8
