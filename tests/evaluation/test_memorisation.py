"""Nearest training pictures against a brute-force search, and what copies and held-out pictures score."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.evaluation import memorisation as module
from palimpsest.evaluation.memorisation import (
    class_weights,
    closest_pairs,
    memorisation,
    memorisation_error,
    nearest,
)
from palimpsest.streams.pictures import Pictures


def drawn(count: int, seed: int, shape: tuple[int, int, int] = (1, 6, 6)) -> Pictures:
    """Pictures of random gray levels; as many as an 8-bit file could hold."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, *shape), generator=generator, dtype=torch.uint8)
    return Pictures(pixels, torch.zeros(count, dtype=torch.int64))


def floats(pictures: Pictures) -> torch.Tensor:
    return pictures.take(torch.arange(len(pictures)))[0]


def by_hand(queries, training) -> tuple[list[float], list[int]]:
    """The smallest distance and its row, one pair of pictures at a time."""
    found = [min((float((q - t).double().square().sum()) ** 0.5, i) for i, t in enumerate(training)) for q in queries]
    return [distance for distance, _ in found], [row for _, row in found]


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 4, 5)])
def test_equals_a_search_picture_by_picture(shape, monkeypatch):
    monkeypatch.setattr(module, "QUERIES", 7)
    monkeypatch.setattr(module, "in_parts", lambda training: torch.arange(len(training)).split(13))
    training, queries = drawn(50, 0, shape), floats(drawn(20, 1, shape))
    found = nearest(queries, training)
    distances, rows = by_hand(queries, floats(training))
    assert found.distances.tolist() == pytest.approx(distances, rel=1e-5)
    assert found.indices.tolist() == rows


def test_a_training_set_may_be_a_tensor_or_memory_mapped(tmp_path):
    training, queries = drawn(30, 2), floats(drawn(9, 3))
    numpy = Pictures(training.pixels.numpy(), training.labels)
    found = [nearest(queries, some) for some in (training, floats(training), numpy)]
    assert all(torch.equal(each.distances, found[0].distances) for each in found)
    assert all(torch.equal(each.indices, found[0].indices) for each in found)


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 32, 32)])
def test_an_exact_copy_is_found_at_distance_zero(shape):
    training = drawn(300, 4, shape)
    rows = torch.tensor([7, 299, 0, 150])
    found = nearest(training.take(rows)[0], training)
    assert found.distances.tolist() == [0, 0, 0, 0] and found.indices.tolist() == rows.tolist()


def test_a_near_copy_among_near_copies_has_its_distance_to_an_eighth_of_a_gray_level():
    """Where the trick of |q|² + |t|² − 2 q·t cancels: 200 pictures that differ in one level of one pixel."""
    base = torch.full((200, 3, 32, 32), 255, dtype=torch.uint8)
    base.flatten(1)[torch.arange(200), torch.arange(200)] = 254
    training = Pictures(base, torch.zeros(200, dtype=torch.int64))
    found = nearest(training.take(torch.arange(200))[0], training)
    assert float(found.distances.max()) <= 0.001 * (3 * 32 * 32) ** 0.5


def test_black_and_white_are_as_far_apart_as_pictures_can_be():
    found = nearest(torch.ones(1, 3, 4, 4), -torch.ones(2, 3, 4, 4))
    assert found.distances.tolist() == pytest.approx([2 * 48**0.5]) and found.indices.tolist() == [0]


def test_mirrored_pictures_count_only_where_they_are_asked_for():
    training = floats(drawn(40, 5))
    queries = torch.cat([training[[3, 8]].flip(-1), training[[9]]])
    assert nearest(queries, training).distances[:2].min() > 1
    found = nearest(queries, training, flip=True)
    assert found.distances.tolist() == [0, 0, 0] and found.indices.tolist() == [3, 8, 9]


def test_the_order_of_the_training_pictures_does_not_matter():
    training, queries = floats(drawn(40, 6)), floats(drawn(12, 7))
    there, back = nearest(queries, training), nearest(queries, training.flip(0))
    assert torch.equal(there.distances, back.distances) and torch.equal(there.indices, 39 - back.indices)


def test_no_queries_have_no_neighbours():
    assert nearest(torch.ones(0, 1, 6, 6), drawn(3, 0)).distances.shape == (0,)


def test_copies_of_training_pictures_score_one_and_new_pictures_of_the_kind_a_hundredth():
    training, held_out, fresh = drawn(500, 8), floats(drawn(2000, 9)), floats(drawn(2000, 10))
    usual = nearest(held_out, training).distances
    assert memorisation(nearest(floats(training), training).distances, usual) == 1
    assert memorisation(usual, usual) == pytest.approx(0.01, abs=0.001)
    assert memorisation(nearest(fresh, training).distances, usual) == pytest.approx(0.01, abs=0.01)
    assert memorisation(nearest(torch.ones(9, 1, 6, 6) * 5, training).distances, usual) == 0


def test_a_share_of_copies_is_that_share_and_the_order_of_samples_does_not_matter():
    held_out = torch.linspace(1, 2, 1000)
    made = torch.cat([torch.zeros(300), torch.full((700,), 1.5)])
    assert memorisation(made, held_out) == memorisation(made.flip(0), held_out.flip(0)) == pytest.approx(0.3)


def test_the_threshold_is_the_quantile_asked_for():
    """Distances 0, 1, …, 100: the 1 % quantile is 1, the 10 % quantile 10."""
    held_out = torch.arange(101.0)
    made = torch.tensor([0.5, 1.0, 1.5, 9.5, 10.5])
    assert memorisation(made, held_out) == pytest.approx(2 / 5)
    assert memorisation(made, held_out, quantile=0.1) == pytest.approx(4 / 5)


def test_copies_count_also_where_held_out_pictures_repeat_training_pictures():
    assert memorisation(torch.zeros(10), torch.cat([torch.zeros(5), torch.ones(95)])) == 1


def test_the_closest_pairs_come_nearest_first_with_each_training_picture_once():
    training = floats(drawn(20, 11))
    samples = training[[4, 4, 9, 2, 17]] + torch.tensor([0.1, 0.2, 0.3, 0.0, 0.9])[:, None, None, None]
    found = nearest(samples, training)
    left, right = closest_pairs(samples, found.distances, found.indices, training, count=4)
    assert torch.equal(left, samples[[3, 0, 2, 4]])
    assert torch.equal(right, training[[2, 4, 9, 17]])


def test_closest_pairs_repeat_a_training_picture_rather_than_show_fewer():
    training = drawn(6, 12)
    samples = training.take(torch.tensor([1, 1, 1]))[0] + torch.tensor([0.3, 0.1, 0.2])[:, None, None, None]
    found = nearest(samples, training)
    left, right = closest_pairs(samples, found.distances, found.indices, training)
    assert torch.equal(left, samples[[1, 2, 0]])
    assert torch.equal(right, training.take(torch.tensor([1, 1, 1]))[0])


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(RequestError, match="no training pictures"):
        nearest(torch.ones(1, 1, 6, 6), drawn(0, 0))
    with pytest.raises(RequestError, match=r"\(1, 5, 6\).*\(1, 6, 6\)"):
        nearest(torch.ones(1, 1, 5, 6), drawn(3, 0))
    with pytest.raises(RequestError, match="there are 0 and 5"):
        memorisation(torch.ones(0), torch.ones(5))
    with pytest.raises(RequestError, match="quantile between 0 and 1, but it is 1"):
        memorisation(torch.ones(5), torch.ones(5), quantile=1)


def test_real_unseen_pictures_of_any_classes_are_no_copies():
    """Class 0 lies close together and class 1 far apart: without weights, unseen pictures of class 0 look like copies."""
    random = torch.Generator().manual_seed(0)

    def drawn(count: int, spread: float) -> torch.Tensor:
        return torch.randn(count, 1, 4, 4, generator=random) * spread

    training = torch.cat([drawn(500, 0.1), drawn(500, 1.0)])
    held_out, classes = torch.cat([drawn(500, 0.1), drawn(500, 1.0)]), torch.arange(1000) // 500
    usual = nearest(held_out, training).distances
    fresh = nearest(drawn(500, 0.1), training).distances
    weights = class_weights(torch.zeros(500, dtype=torch.int64), classes)
    assert weights.tolist() == [1.0] * 500 + [0.0] * 500
    assert memorisation(fresh, usual, weights=weights) == pytest.approx(0.01, abs=0.012)
    assert memorisation(fresh, usual) > 0.015, (
        "the threshold of all classes together is not that of the samples' classes"
    )


def test_equal_classes_weigh_equally_and_a_class_that_is_not_held_out_weighs_nothing():
    assert class_weights(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1])).tolist() == [2.0, 2.0]
    assert class_weights(torch.tensor([5, 5]), torch.tensor([0, 1])).tolist() == [0.0, 0.0]


def test_the_standard_error_is_that_of_repeated_draws():
    random = torch.Generator().manual_seed(0)
    found = [memorisation(torch.rand(300, generator=random), torch.rand(300, generator=random)) for _ in range(400)]
    assert torch.tensor(found).std().item() == pytest.approx(memorisation_error(300, 300), rel=0.25)
