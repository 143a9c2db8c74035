"""Numbers from addresses: the same everywhere, and shared among processes without a gap."""

import subprocess
import sys

import pytest
import torch

from palimpsest.core.random import Random, generator, permutation, seed_of, share


def test_an_address_gives_the_same_numbers_in_every_process():
    """Python's own hash of a string does not: it is salted."""
    code = "from palimpsest.core.random import seed_of; print(seed_of(3, 1, 'train 0', 17, 'dreams'))"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    assert runs == {f"{seed_of(3, 1, 'train 0', 17, 'dreams')}\n"}


def test_different_addresses_give_different_numbers():
    addresses = [(s, t, name) for s in range(5) for t in range(5) for name in ("data", "dreams")]
    assert len({seed_of(*address) for address in addresses}) == len(addresses)
    assert seed_of(1, 23) != seed_of(12, 3)


@pytest.mark.parametrize("rows", [0, 1, 7, 8])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_shares_are_the_whole_in_order(rows, world):
    numbers = torch.arange(rows)
    assert torch.equal(torch.cat([numbers[share(rows, rank, world)] for rank in range(world)]), numbers)


@pytest.mark.parametrize("draw", ["normal", "uniform", "integers", "choice"])
def test_processes_together_draw_what_one_draws(draw):
    def drawn(rank: int, world: int) -> torch.Tensor:
        random = Random(generator(0, "x"), rank, world)
        return {
            "normal": lambda: random.normal(7, 2, 3),
            "uniform": lambda: random.uniform(7),
            "integers": lambda: random.integers(100, 7),
            "choice": lambda: random.choice(20, 7),
        }[draw]()

    assert torch.equal(torch.cat([drawn(rank, 3) for rank in range(3)]), drawn(0, 1))


def test_choice_never_repeats():
    assert len(set(Random(generator(1)).choice(10, 10).tolist())) == 10


def test_a_permutation_is_one():
    order = permutation((0, "data", "epoch", 3), 100)
    assert order.sort().values.tolist() == list(range(100))
    assert not torch.equal(order, permutation((0, "data", "epoch", 4), 100))
