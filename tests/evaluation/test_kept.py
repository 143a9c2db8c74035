"""What is still made of what a model made before: by draws whose answer is known."""

import pytest
import torch

from palimpsest.evaluation.kept import expected, newly_made, still_made

FAR = 100.0


def drawn(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) + shift


@pytest.mark.parametrize("due", [1.0, 0.5, 0.25])
def test_what_is_expected_is_what_draws_of_one_distribution_come_to(due):
    """A share of the samples from the same distribution, the rest far away; mean over ten draws."""
    old = round(200 * due)
    found = [
        still_made(drawn(200, 2 * n), torch.cat([drawn(old, 2 * n + 1), drawn(200 - old, n, FAR)])) for n in range(10)
    ]
    for name, value in expected(200, 200, due).items():
        assert sum(each[name] for each in found) / len(found) == pytest.approx(value, abs=0.04)


def test_what_lies_elsewhere_has_kept_nothing_and_one_spot_of_what_was_made_is_little():
    own = drawn(200, 0)
    assert still_made(own, drawn(200, 1, FAR)) == {"coverage_old": 0.0, "density_old": 0.0}
    assert still_made(own, own[:1] + 1e-3 * drawn(200, 1))["coverage_old"] < 0.1


def test_as_many_samples_miss_one_in_two_to_the_fifth():
    """Of an own sample's five nearest, each is as likely own as not, where both are many."""
    assert expected(10**6, 10**6, 1.0)["coverage_old"] == pytest.approx(1 - 2**-5, abs=1e-5)


def test_what_is_new_was_not_there_before_and_is_as_near_as_its_share_of_samples_makes_it():
    """Half of the samples show the new pictures, which lie far from what was made before."""
    own = drawn(200, 0, FAR)
    found = [
        newly_made(drawn(200, 2 * n), own, torch.cat([drawn(100, 2 * n + 1), drawn(100, n, FAR)]), 0.5) for n in range(10)
    ]
    assert all(each["before"] == 0 for each in found)
    assert sum(each["coverage"] for each in found) / len(found) == pytest.approx(found[0]["expected"], abs=0.04)
    assert newly_made(drawn(200, 1), own, own, 0.5)["coverage"] == 0, "nothing was learnt"
