"""What is replayed, by hand."""

import pytest
import torch

from palimpsest.evaluation.replay import examine_replay


def test_without_labels_purity_is_the_share_of_past_classes():
    seen = torch.tensor([3, 3, 7, 7, 7, 9, 1, 1])
    found = examine_replay(seen, due=(3, 7, 1))
    assert found["purity"] == 7 / 8 and found["count"] == 8
    assert found["shares"] == {1: 0.25, 3: 0.25, 7: 0.375, 9: 0.125}
    assert found["starving"] == []


def test_with_labels_purity_is_agreement():
    seen = torch.tensor([3, 3, 7, 7])
    assert examine_replay(seen, (3, 7), labels=torch.tensor([3, 7, 3, 7]))["purity"] == 0.5


@pytest.mark.parametrize(("count", "starves"), [(4, True), (6, False)])
def test_a_class_starves_below_a_tenth_of_its_due(count, starves):
    """Two past classes are due one half each: a class starves below 5 % of 100 pictures."""
    found = examine_replay(torch.tensor([5] * count + [2] * (100 - count)), due=(2, 5))
    assert found["starving"] == ([5] if starves else [])


def test_a_class_that_is_not_there_at_all_starves():
    found = examine_replay(torch.tensor([2, 2, 2]), due=(2, 8))
    assert found["starving"] == [8] and found["shares"][8] == 0
