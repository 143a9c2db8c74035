"""Real pictures with synthetic ones among them: how many, which, and in whose mean they count."""

import pytest
import torch

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images
from palimpsest.sources import Data, Mixed
from palimpsest.sources.augment import Augmentation
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import Margin, OnReal, label


def data(labels, name="data", white=255, **more):
    return Data(
        Pictures(torch.full((len(labels), 1, 4, 4), white, dtype=torch.uint8), torch.tensor(labels)), name=name, **more
    )


def mixed(**more):
    return Mixed(data([5] * 12, white=255), data([0, 1] * 4, "synthetic", 0), **more)


def batch(size, step=0, **more):
    return Batch(size, step * size, (0, 1, "train", step), **more)


@pytest.mark.parametrize(("share", "size", "real"), [(0.5, 8, 4), (0.5, 7, 4), (0.25, 8, 6), (0.9, 10, 1)])
def test_a_split_batch_is_real_first_and_synthetic_after_that(share, size, real):
    drawn = mixed(share=share).draw(batch(size))
    assert len(drawn) == drawn.total == size and drawn.synthetic == drawn.synthetic_total == size - real
    assert drawn.y[:real].eq(5).all() and drawn.y[real:].lt(2).all()
    assert drawn.x[:real].eq(1).all() and drawn.x[real:].eq(-1).all()
    assert len(drawn.only_real) == real and drawn.only_real.y.eq(5).all()


def test_added_pictures_come_on_top_of_a_whole_batch():
    drawn = mixed(share=0.5, added=True).draw(batch(8))
    assert (drawn.total, drawn.synthetic) == (16, 8)
    assert mixed(share=0.2, added=True).counts(batch(8)) == (8, 2)


def test_an_epoch_has_all_real_pictures_in_it_or_the_steps_of_one_without():
    assert mixed().epoch_rows == 24 and mixed(share=0.25).epoch_rows == 16
    assert mixed(whole_epochs=False).epoch_rows == mixed(added=True).epoch_rows == 12
    seen = [row for step in range(3) for row in mixed().data.rows(mixed().split(batch(8, step))[0]).tolist()]
    assert sorted(seen) == list(range(12)), "three steps of eight, four of them real: twelve pictures, each once"


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.9])
@pytest.mark.parametrize("dials", [{}, {"whole_epochs": False}, {"added": True}])
@pytest.mark.parametrize("world", [1, 3])
def test_no_row_is_lost_to_rounding(share, dials, world):
    """What is drawn is what is counted, and two parts of a batch that are each rounded up do not take rows from one another."""
    source = Mixed(data([5] * 97), data([0, 1] * 9, "synthetic"), share, **dials)
    for step in range(60):
        here = [Batch(4, 4 * step, (0, step), rank=rank, world=world) for rank in range(world)]
        drawn = [source.draw(each) for each in here]
        real, synthetic = source.counts(here[0])
        assert sum(len(each) - each.synthetic for each in drawn) == real and sum(each.synthetic for each in drawn) == synthetic
        assert drawn[0].total == real + synthetic and drawn[0].synthetic_total == synthetic


@pytest.mark.parametrize(("count", "size", "share"), [(100, 7, 0.5), (101, 8, 0.5), (33, 5, 0.3), (10, 4, 0.75), (97, 4, 0.1)])
def test_every_epoch_has_every_real_picture_once_however_it_is_rounded(count, size, share):
    """Over batches as an epoch has them, the last of each short."""
    source = Mixed(data(list(range(2, 2 + count))), data([0, 1], "synthetic"), share)
    rows, seen = source.epoch_rows, []
    for epoch in range(3):
        for place in range(0, rows, size):
            here = Batch(min(size, rows - place), epoch * rows + place, (0, epoch * rows + place), whole=size)
            real, synthetic = source.split(here)
            assert (
                real.size + synthetic.size == here.size and real.size <= real.rows and synthetic.size <= synthetic.rows
            )
            seen += source.data.rows(real).tolist()
    assert len(seen) == 3 * count
    assert all(sorted(seen[e * count : (e + 1) * count]) == list(range(count)) for e in range(3))


def test_every_synthetic_picture_comes_as_often_as_the_others():
    source = mixed()
    seen = [row for step in range(2) for row in source.synthetic.rows(source.split(batch(8, step))[1]).tolist()]
    assert sorted(seen) == list(range(8))


def test_two_processes_draw_what_one_does():
    source = Mixed(data(list(range(5, 17))), data([0, 1] * 4, "synthetic", 0))
    whole = source.draw(batch(8))
    parts = [source.draw(batch(8, rank=rank, world=2)) for rank in (0, 1)]
    real, synthetic = (torch.cat([part.y[rows] for part in parts]) for rows in (slice(0, 2), slice(2, 4)))
    assert torch.equal(torch.cat([real, synthetic]), whole.y)
    assert torch.equal(parts[0].everyone, whole.y) and parts[0].total == whole.total


def test_views_are_those_of_both():
    views = (("logits", Augmentation(("padded_crop 1",))),)
    source = Mixed(data([5] * 8, views=views), data([0] * 8, "synthetic", 0, views=views))
    assert source.draw(batch(6)).seen_by("logits").x.shape == (6, 1, 4, 4)
    gray = (("logits", Augmentation(("cutout 3",))),)
    drawn = Mixed(data([5] * 8), data([0] * 8, "synthetic", views=gray)).draw(batch(6)).seen_by("logits").x
    assert drawn[:3].eq(1).all() and drawn[3:].eq(0).any(), "an augmentation of their own leaves real ones alone"


@pytest.mark.parametrize("share", [0.5, 0.2, 0.4])
def test_added_pictures_go_on_after_a_short_batch_where_it_stopped(share):
    """Three epochs of eleven real pictures in batches of four: no synthetic one is left out between them."""
    source = Mixed(data([5] * 11), data(list(range(5)), "synthetic"), share, added=True)
    seen = []
    for epoch in range(3):
        for place in range(0, 11, 4):
            here = Batch(min(4, 11 - place), epoch * 11 + place, (0, place), whole=4)
            seen.append(source.split(here)[1])
    ends = [part.start + part.size for part in seen]
    assert [part.start for part in seen] == [0, *ends[:-1]] and ends[-1] == round(33 * share / (1 - share))
    assert all(part.size <= part.rows for part in seen)


def test_where_they_do_not_count_a_mean_is_over_real_pictures():
    drawn = Images(torch.zeros(5, 1), torch.tensor([1, 2, 3, 0, 0]), synthetic=2, synthetic_total=2)
    said = torch.randn(5, 4)
    real = label.distance(said[:3], drawn.y[:3], drawn.only_real)
    losses = OnReal(label).distance(said, label.answer(drawn), drawn)
    assert losses.mean().item() == pytest.approx(real.mean().item()) and losses[3:].eq(0).all()


def test_the_margin_without_them_is_that_of_the_real_batch():
    drawn = Images(torch.zeros(5, 1), torch.tensor([0, 2, 3, 0, 1]), synthetic=2, synthetic_total=2)
    cosines, target = torch.rand(5, 4), Margin((0, 1), (2, 3))
    alone = target.distance(cosines[:3], drawn.y[:3], drawn.only_real).mean()
    assert OnReal(target).distance(cosines, drawn.y, drawn).mean().item() == pytest.approx(alone.item())
    assert OnReal(target).exists and OnReal(target).needs == target.needs and OnReal(target).head == "cosines"
