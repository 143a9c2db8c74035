"""Batches of images and of noised images."""

import torch

from palimpsest.core.errors import unknown
from palimpsest.core.images import Images, Noised, concatenate


def test_concatenation_keeps_order_and_adds_totals():
    first = Images(torch.zeros(2, 1, 2, 2), torch.tensor([1, 2]), total=5)
    second = Images(torch.ones(3, 1, 2, 2), torch.tensor([3, 4, 5]), total=6)
    both = concatenate([first, second])
    assert len(both) == 5 and both.total == 11
    assert both.y.tolist() == [1, 2, 3, 4, 5] and both.x[2:].eq(1).all()


def test_a_field_that_only_some_parts_have_is_dropped():
    with_noise = Noised(torch.zeros(1, 1, 2, 2), torch.tensor([3]), noise=torch.ones(1, 1, 2, 2))
    without = Noised(torch.zeros(1, 1, 2, 2), torch.tensor([4]))
    both = concatenate([with_noise, without])
    assert both.noise is None and both.t.tolist() == [3, 4]


def test_a_weight_that_only_some_parts_have_does_not_reach_the_network_but_stays_with_the_question():
    weighted = Noised(torch.zeros(1, 1, 2, 2), torch.tensor([3]), weight=torch.tensor([2.0]))
    assert concatenate([weighted]) is weighted


def test_unknown_names_come_with_the_near_match():
    assert 'Did you mean "finetune"?' in str(unknown("strategy", "finetun", ["finetune", "joint"]))
    assert "Did you mean" not in str(unknown("strategy", "zzz", ["finetune", "joint"]))
    assert "Legal: finetune, joint." in str(unknown("strategy", "zzz", ["joint", "finetune"]))
