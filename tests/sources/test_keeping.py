"""Which pictures are remembered: herding against a brute force, shares, lots."""

import pytest
import torch
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.sources import Keeping, Memory
from palimpsest.sources.keeping import herding
from palimpsest.streams.pictures import Pictures
from tests.laws.test_waiting import Waiting


def pictures(labels, first=0):
    """Pictures that are told apart by their only pixel."""
    count = len(labels)
    return Pictures((torch.arange(count) + first).to(torch.uint8).view(-1, 1, 1, 1), torch.tensor(labels))


def who(memory):
    return [group.pixels.flatten().tolist() for group in memory.groups]


def brute_force(features, count):
    """The definition, word for word."""
    mean, chosen = features.mean(0), []
    for k in range(1, count + 1):
        left = [i for i in range(len(features)) if i not in chosen]
        chosen.append(min(left, key=lambda i, k=k: float((mean - (features[i] + features[chosen].sum(0)) / k).norm())))
    return chosen


def test_herding_is_the_definition_and_fewer_pictures_are_the_first_of_more():
    features = functional.normalize(torch.randn(30, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    assert herding(features, 12) == brute_force(features, 12)
    assert herding(features, 4) == herding(features, 12)[:4]
    assert sorted(herding(features, 99)) == list(range(30))
    mean = features.mean(0)
    near, random = features[herding(features, 5)].mean(0), features[:5].mean(0)
    assert (near - mean).norm() < (random - mean).norm()


def test_herding_reads_the_device_once():
    """Whatever it chooses; a number at a time would wait for each picture."""
    features = functional.normalize(torch.randn(30, 5, generator=torch.Generator().manual_seed(1)), dim=1)
    with Waiting():
        chosen = herding(features, 12)
    assert chosen == brute_force(features, 12)


def look(some):
    """Features that point from the first picture of a class to its last."""
    angle = some.pixels.flatten().float()
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_so_many_of_each_class_chosen_once_and_for_all():
    keeping = Keeping(per_class=2, selection="herding")
    first = keeping.after(Memory(), pictures([0, 1] * 6), (0, 1), look)
    rows = {number: torch.arange(number, 12, 2) for number in (0, 1)}
    expected = [rows[n][herding(look(pictures([0, 1] * 6).subset(rows[n])), 2)].tolist() for n in (0, 1)]
    assert who(first) == expected
    second = keeping.after(first, pictures([2] * 5, 20), (0, 2), look)
    assert who(second)[:2] == expected and len(second.groups[2]) == 2


@pytest.mark.parametrize("selection", ["random", "herding"])
def test_a_total_is_shared_by_the_classes_and_shrinks_to_its_first_ones(selection):
    keeping = Keeping(size=9, selection=selection)
    first = keeping.after(Memory(), pictures([0, 1] * 6), (0, 1), look)
    assert [len(group) for group in first.groups] == [4, 4]
    second = keeping.after(first, pictures([2, 3] * 6, 20), (0, 2), look)
    assert [len(group) for group in second.groups] == [2, 2, 2, 2]
    assert who(second)[:2] == [chosen[:2] for chosen in who(first)]


def test_a_class_that_comes_again_keeps_its_pictures():
    keeping = Keeping(per_class=3, selection="random")
    first = keeping.after(Memory(), pictures([0] * 9), (0, 1))
    again = keeping.after(first, pictures([0] * 9, 50), (0, 2))
    assert who(again) == who(first)


def test_a_class_with_fewer_pictures_than_its_share_keeps_all():
    kept = Keeping(per_class=5, selection="random").after(Memory(), pictures([0, 0, 1]), (0, 1))
    assert [len(group) for group in kept.groups] == [2, 1]


def test_a_reservoir_gives_all_pictures_one_chance():
    counts = torch.zeros(60)
    for seed in range(400):
        memory = Memory()
        for task, start in enumerate((0, 20, 40), start=1):
            memory = Keeping(size=12, selection="reservoir").after(memory, pictures([task] * 20, start), (seed, task))
        assert len(memory) == 12
        for pixel in sum(who(memory), []):
            counts[pixel] += 1
    tasks = counts.view(3, 20).sum(1) / counts.sum()
    assert torch.allclose(tasks, torch.full((3,), 1 / 3), atol=0.03)


def test_a_reservoir_never_drops_a_class():
    for seed in range(30):
        memory = Memory()
        for task in range(1, 7):
            labels = [task] * (1 if task == 1 else 40)
            memory = Keeping(size=6, selection="reservoir").after(memory, pictures(labels), (seed, task))
        assert sorted(set(memory.pictures.labels.tolist())) == [1, 2, 3, 4, 5, 6] and len(memory) == 6


def test_a_reservoir_keeps_every_class_of_a_task_that_has_many():
    for seed in range(30):
        labels = [number for number in range(20) for _ in range(10)]
        kept = Keeping(size=25, selection="reservoir").after(Memory(), pictures(labels), (seed, 1))
        assert set(kept.pictures.labels.tolist()) == set(range(20)) and len(kept) == 25
    assert not Keeping(0, selection="reservoir").after(Memory(), pictures([0, 1]), (0, 1)).exists


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(RequestError, match="per_class is -1"):
        Keeping(per_class=-1)
    with pytest.raises(RequestError, match='unknown selection "heading"'):
        Keeping(selection="heading")
    with pytest.raises(RequestError, match="does not go by classes"):
        Keeping(per_class=3, selection="reservoir")
    with pytest.raises(RequestError, match="memory_size is 5, and there are 10 classes"):
        Keeping(5, selection="herding").check(10)
    Keeping(5).check(10)
    Keeping(per_class=1, selection="herding").check(10)
    Keeping(0, selection="herding").check(10)
