"""Precision, recall, density and coverage against a brute-force version, and their laws."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.evaluation import neighbours
from palimpsest.evaluation.neighbours import prdc

NAMES = ["precision", "recall", "density", "coverage"]


def features(count: int, width: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def by_hand(real, made, k: int) -> dict[str, float]:
    """The papers' definitions, one ball at a time."""

    def apart(x, y) -> float:
        return sum((float(p) - float(q)) ** 2 for p, q in zip(x, y, strict=True)) ** 0.5

    def reach(row, those) -> float:
        return sorted(apart(those[row], other) for i, other in enumerate(those) if i != row)[k - 1]

    real_reach = [reach(i, real) for i in range(len(real))]
    made_reach = [reach(j, made) for j in range(len(made))]
    inside = [[apart(x, y) <= real_reach[i] for y in made] for i, x in enumerate(real)]
    return {
        "precision": sum(any(row[j] for row in inside) for j in range(len(made))) / len(made),
        "recall": sum(any(apart(x, y) <= r for y, r in zip(made, made_reach, strict=True)) for x in real) / len(real),
        "density": sum(map(sum, inside)) / (k * len(made)),
        "coverage": sum(map(any, inside)) / len(real),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m", "shift"), [(30, 20, 0.0), (15, 40, 0.7), (20, 20, 2.0)])
def test_equal_the_definitions_ball_by_ball(k, n, m, shift):
    real, made = features(n, 3, 10 * k), features(m, 3, 10 * k + 1, shift)
    assert prdc(real, made, k) == pytest.approx(by_hand(real, made, k), abs=1e-12)


def test_on_a_line_they_are_the_ones_on_paper():
    """Real 0, 1, 3 reach 1, 1, 2 with k = 1; samples −0.5, 1.5, 9 reach 2, 2, 7.5.

    −0.5 lies in 0's ball, 1.5 in 1's and 3's, 9 in none. Of the real ones 0, 1 and 3 all lie in a sample's ball.
    """
    found = prdc(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[-0.5], [1.5], [9.0]]), k=1)
    assert found == pytest.approx({"precision": 2 / 3, "recall": 1.0, "density": 1.0, "coverage": 1.0})


def test_a_set_with_itself_is_precise_and_covered():
    real = features(100, 6, 1)
    found = prdc(real, real.clone())
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert 1 <= found["density"] <= 1.2  # itself and its 5 neighbours, of 5 expected; the fifth is a tie


def test_samples_of_the_real_distribution_reach_the_expected_density_and_coverage():
    """Naeem et al., lemmas 1 and 2: density 1; coverage 1 − (N−1)…(N−k) / (2N−1)…(2N−k)."""
    found = [prdc(features(100, 4, 2 * s), features(100, 4, 2 * s + 1)) for s in range(60)]
    missed = 1.0
    for i in range(1, 6):
        missed *= (100 - i) / (200 - i)
    assert sum(each["density"] for each in found) / 60 == pytest.approx(1, abs=0.03)
    assert sum(each["coverage"] for each in found) / 60 == pytest.approx(1 - missed, abs=0.01)


def test_far_samples_have_none_of_it():
    assert prdc(features(30, 4, 0), features(30, 4, 1, shift=100.0)) == dict.fromkeys(NAMES, 0.0)


def test_forgetting_half_the_classes_costs_recall_and_coverage_but_not_precision():
    old, new = features(100, 4, 2), features(100, 4, 3, shift=50.0)
    found = prdc(torch.cat([old, new]), torch.cat([features(100, 4, 4, shift=50.0), features(100, 4, 5, shift=50.0)]))
    assert found["precision"] > 0.8
    assert found["recall"] <= 0.5 and found["coverage"] <= 0.5


def test_a_collapsed_generator_has_no_recall():
    real = features(100, 4, 6)
    found = prdc(real, real[:1].repeat(50, 1))
    assert found["precision"] == 1 and found["recall"] <= 0.01 and found["coverage"] < 0.2


def test_order_place_and_scale_do_not_matter():
    real, made = features(60, 5, 7), features(50, 5, 8, shift=0.5)
    expected = prdc(real, made)
    assert prdc(real.flip(0), made.roll(7, 0)) == expected
    assert prdc(3 * real + 1000, 3 * made + 1000) == expected


def test_the_parts_that_they_are_computed_in_do_not_show(monkeypatch):
    real, made = features(50, 8, 9), features(31, 8, 10)
    whole = prdc(real, made)
    monkeypatch.setattr(neighbours, "ROWS", 7)
    assert prdc(real, made) == whole


def test_real_and_made_exchanged_exchange_precision_and_recall():
    real, made = features(60, 5, 11), features(50, 5, 12, shift=0.5)
    there, back = prdc(real, made), prdc(made, real)
    assert (there["precision"], there["recall"]) == (back["recall"], back["precision"])


def test_wrong_sets_are_refused_with_the_numbers():
    with pytest.raises(RequestError, match="at least 6 samples in each set, but there are 5 and 9"):
        prdc(features(5, 4, 0), features(9, 4, 1))
    with pytest.raises(RequestError, match=r"\(9, 4\) and \(9, 5\)"):
        prdc(features(9, 4, 0), features(9, 5, 1))
    with pytest.raises(RequestError, match="k is 0"):
        prdc(features(9, 4, 0), features(9, 4, 1), k=0)
    with pytest.raises(RequestError, match="NaN or infinite"):
        prdc(features(9, 4, 0), torch.full((9, 4), torch.inf))
