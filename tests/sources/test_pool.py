"""Pools: dreams with quotas, and parts of batches."""

from types import SimpleNamespace

import pytest
import torch

from palimpsest.core.batch import Ahead, Batch
from palimpsest.core.errors import RequestError
from palimpsest.diffusion.samplers import Sampler
from palimpsest.learning.devices import Machine
from palimpsest.learning.filling import fill
from palimpsest.models.joint import build_joint
from palimpsest.models.options import JointOptions
from palimpsest.sources import Data, Part, Pool
from palimpsest.sources.kept import Kept
from palimpsest.streams.pictures import Pictures
from tests.tiny import conditional_denoiser, tiny_denoiser

CLASSES = ("a", "b", "c", "d")


def a_joint_model():
    return build_joint(tiny_denoiser(), JointOptions(head_width=8), CLASSES, 0).eval().requires_grad_(False)


def a_pool(classes=(0, 2), count=3, **dials) -> Pool:
    teacher = a_joint_model()
    return Pool(teacher, teacher, classes, count, Sampler("ddim", 2), **dials)


def opinions(*likeliest: tuple[int, float]) -> torch.Tensor:
    """Of each picture: its likeliest class has the given probability, the others share the rest."""
    rows = torch.tensor([[(1 - p) / 3] * 4 for _, p in likeliest])
    for row, (number, p) in enumerate(likeliest):
        rows[row, number] = p
    return rows


def shades(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 8, 8)


def test_quotas_by_hand():
    """Of six dreams: a first and a second of class 0, one of a class that is not wanted, one of class 2, and two of class 0,
    of which there is room for one."""
    pool = a_pool()
    said = opinions((0, 0.9), (0, 0.8), (1, 0.9), (2, 0.6), (0, 0.5), (0, 0.9))
    pool.take_in(shades(-1.0, -0.5, 0.0, 0.5, 0.75, 1.0), said)
    assert pool.kept.accepted.tolist() == [3, 1] and not pool.full
    assert pool.kept.labels.tolist() == [0, 0, 2, 0]
    assert pool.kept.pixels[:, 0, 0, 0].tolist() == [0, 64, 191, 223], (
        "as bytes, in the order in which they were dreamt"
    )
    assert torch.equal(pool.kept.opinions, said[[0, 1, 3, 4]])
    assert pool.record["wasted"] == pytest.approx(2 / 6) and pool.record["filled_up"] == [2]
    assert pool.record["labelled"] == {0: 4, 2: 1}, "also the one of which there was no room"


def test_a_dream_of_which_the_labeller_is_not_sure_is_thrown_away():
    pool = a_pool(confidence=0.7)
    pool.take_in(shades(0.0, 0.0, 0.0), opinions((0, 0.69), (0, 0.71), (2, 0.9)))
    assert pool.kept.accepted.tolist() == [1, 1]


def test_short_classes_are_filled_up_with_copies_of_their_own():
    pool = a_pool(count=5)
    pool.take_in(shades(-1.0, -0.5, 0.5), opinions((0, 0.9), (0, 0.8), (2, 0.6)))
    pool.close(("address",))
    kept = pool.kept
    assert kept.labels.bincount().tolist() == [5, 0, 5]
    assert set(kept.pixels[kept.labels == 0][:, 0, 0, 0].tolist()) == {0, 64}
    assert sorted(kept.pixels[kept.labels == 0][:, 0, 0, 0].tolist()).count(0) in (2, 3), "in turn"
    assert pool.kept.accepted.tolist() == [2, 1], "copies are not dreams"


def progress_with(rows: int) -> SimpleNamespace:
    return SimpleNamespace(machine=Machine(torch.device("cpu"), ahead=Ahead(rows)))


def test_a_class_that_never_appears_ends_in_a_warning_and_not_in_a_loop():
    """The labeller sees class 0 in everything: after twice as many dreams as wanted it is over, and class 2 is empty."""
    pool = a_pool(count=4)
    pool.labeller.classify[-1].bias.data = torch.tensor([100.0, 0, 0, 0])
    seen = []
    fill(pool, progress_with(3), (0, 1, "global"), lambda each: seen.append(each.kept.drawn))
    assert seen == [3, 6, 9, 12, 15, 18], "16 is twice 8"
    assert pool.record["empty"] == [2] and pool.record["accepted"] == {0: 4, 2: 0}
    batch = Batch(8, 0, (0, 1, "global", 0))
    assert pool.draw(batch).y.unique().tolist() == [0]


def test_a_masked_labeller_chooses_among_the_wanted_classes():
    """What is left of its opinion is brought back to a sum of 1; no dream is thrown away but where its class is full."""
    pool, free = a_pool(count=4, masked=True), a_pool(count=4)
    for each in (pool, free):
        each.labeller.classify[-1].bias.data = torch.tensor(
            [0.0, 3.0, 0.0, 0.0]
        )  # mostly of a class that is not wanted
    random = [Batch(16, 0, (0, 1, "global")).random("dreams") for _ in range(2)]
    (x, opinions), (same, others) = (each.dream(one, 16) for each, one in zip((pool, free), random, strict=True))
    assert torch.equal(x, same) and (others.argmax(-1) == 1).all() and opinions[:, [1, 3]].max() == 0
    wanted = others[:, [0, 2]]
    torch.testing.assert_close(opinions[:, [0, 2]], wanted / wanted.sum(-1, keepdim=True))
    pool.take_in(x, opinions), free.take_in(x, others)
    of_each = opinions.argmax(-1).bincount(minlength=4)[[0, 2]]
    assert pool.kept.accepted.tolist() == of_each.clamp(max=4).tolist() and of_each.sum() == 16
    assert free.kept.accepted.tolist() == [0, 0]


def test_filling_goes_on_where_it_was_interrupted():
    whole, first, second = (a_pool(count=6, most=4.0) for _ in range(3))
    fill(whole, progress_with(4), (0, 1, "global"), lambda each: None)

    class Stop(Exception): ...

    def stop(pool: Pool) -> None:
        if pool.kept.batches == 2:
            raise Stop

    with pytest.raises(Stop):
        fill(first, progress_with(4), (0, 1, "global"), stop)
    second.kept.load(first.kept.state())
    fill(second, progress_with(4), (0, 1, "global"), lambda each: None)
    for name, tensor in whole.kept.state().items():
        assert torch.equal(tensor, second.kept.state()[name])


def test_soft_labels_are_the_labellers_probabilities():
    hard, soft = a_pool(), a_pool(soft=True)
    for pool in (hard, soft):
        pool.take_in(shades(-1.0, 1.0), opinions((0, 0.9), (2, 0.8)))
    batch = Batch(2, 0, (0, 1, "global", 0))
    assert hard.draw(batch).y.dtype == torch.int64
    assert torch.equal(soft.draw(batch).y.argmax(-1), hard.draw(batch).y)
    assert soft.draw(batch).y.max() == pytest.approx(0.9)


def numbered(count: int, name: str = "data") -> Data:
    return Data(Pictures(torch.zeros(count, 1, 2, 2, dtype=torch.uint8), torch.arange(count)), name=name)


@pytest.mark.parametrize("size", [1, 7, 8])
def test_two_parts_make_a_batch(size):
    batch = Batch(size, 0, (0, 1, "global", 0), whole=8)
    drawn = [Part(numbered(20), first, last).draw(batch) for first, last in ((0, 0.4), (0.4, 1))]
    assert sum(len(images) for images in drawn) == size
    assert [images.whole for images in drawn] == [3, 5]


def test_a_part_is_an_epoch_after_a_few_steps():
    part = Part(numbered(6), 0, 0.25)
    drawn = [part.draw(Batch(8, 8 * step, (0, 1, "global", step))).y for step in range(3)]
    assert sorted(torch.cat(drawn).tolist()) == list(range(6))


def test_two_processes_draw_the_parts_of_one():
    part = Part(numbered(20), 0.4, 1)
    whole = part.draw(Batch(8, 0, (0, 1, "global", 0))).y
    each = [part.draw(Batch(8, 0, (0, 1, "global", 0), rank=rank, world=2)) for rank in (0, 1)]
    assert torch.equal(torch.cat([images.y for images in each]), whole)
    assert [len(images) for images in each] == [2, 3] and all(images.total == 5 for images in each)


def test_what_cannot_be_is_refused():
    for wrong in ({"count": 0}, {"most": 0.5}, {"most": float("inf")}, {"most": float("nan")}, {"confidence": 1.0}):
        with pytest.raises(RequestError, match="give 1 or more, 1 or more, and from 0 to less than 1"):
            a_pool(**wrong)
    with pytest.raises(RequestError, match="steps"):
        Pool(a_joint_model(), a_joint_model(), (0,), 1, Sampler("ddim", 101))
    assert not Pool(None, None, (0,), 1, Sampler("ddim", 2)).exists and not a_pool(classes=()).exists
    assert Kept().state().keys() == {"numbers"}


def a_told_pool(count=4, **dials) -> Pool:
    teacher = conditional_denoiser().eval().requires_grad_(False)
    return Pool(teacher, None, (0, 2, 3), count, Sampler("ddim", 2), **dials)


def test_a_dreamer_that_is_told_of_classes_is_asked_for_them_in_turn():
    """Twelve wanted in batches of five: the third one is of two, and each goes on with the class where the last one ended."""
    pool = a_told_pool()
    fill(pool, progress_with(5), (0, 1, "train"), lambda each: None)
    assert pool.kept.labels.tolist() == [0, 2, 3, 0, 2, 3, 0, 2, 3, 0, 2, 3] and pool.kept.drawn == 12
    assert pool.record["accepted"] == {0: 4, 2: 4, 3: 4} and not pool.record["filled_up"]
    random = Batch(5, 0, (0, 1, "train", 1)).random("dreams", "dreamt")
    noise = random.normal(5, 1, 8, 8)
    second = pool.sampler(pool.dreamer, noise, random, y=torch.tensor([3, 0, 2, 3, 0]), total=5).clamp(-1, 1)
    assert torch.equal(pool.kept.pixels[5:10], ((second + 1) * 127.5).round().to(torch.uint8)), "of what it was asked for"
    assert pool.draw(Batch(8, 0, (0, 1, "train", 0))).y.unique().tolist() == [0, 2, 3]


def test_two_processes_fill_a_told_pool_with_what_one_would():
    pool = a_told_pool()
    pool.kept.drawn = 5
    whole = pool.asked(Batch(5, 0, (0,)).random("x"), 5)
    parts = [pool.asked(Batch(5, 0, (0,), rank=rank, world=2).random("x"), 5) for rank in (0, 1)]
    assert whole.tolist() == [3, 0, 2, 3, 0] and torch.equal(torch.cat(parts), whole)
