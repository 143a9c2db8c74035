"""Randomness is a function of an address, never a state that has to be saved.

An address is a tuple such as (seed, task, phase, step, source name). The same address gives the same numbers on any
run, resumed or not. Numbers are drawn for the whole global batch and each process keeps its own rows, so that one
process and many see the same samples.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

Address = tuple[str | int, ...]


def seed_of(*address: str | int) -> int:
    """A 63-bit seed from an address, the same on every machine (Python's `hash` of a string is not)."""
    digest = hashlib.blake2b(repr(address).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*address: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator on `device`, seeded from the address."""
    return torch.Generator(device=device).manual_seed(seed_of(*address))


@lru_cache(maxsize=4)
def permutation(address: Address, count: int, device: torch.device | str = "cpu") -> Tensor:
    """A permutation of range(count), int64 (count,). Cached, because a whole epoch of steps reads the same one."""
    return torch.randperm(count, generator=generator(*address, device=device), device=device)


def share(rows: int, rank: int, world: int) -> slice:
    """The rows of a global batch that process `rank` of `world` keeps: contiguous, as equal as they can be."""
    return slice(rows * rank // world, rows * (rank + 1) // world)


@dataclass(frozen=True)
class Random:
    """Numbers from one address. Every method draws `rows` global rows and returns this process's share of them.

    whole: rows of a whole batch, which decide whose row is whose; fewer rows are its first ones. 0: as many as are drawn.
    """

    generator: torch.Generator
    rank: int = 0
    world: int = 1
    whole: int = 0

    def mine(self, rows: Tensor) -> Tensor:
        """This process's rows of a tensor whose first dimension is the global batch."""
        if self.world == 1:
            return rows
        return rows[share(max(len(rows), self.whole), self.rank, self.world)].clone()  # a slice would keep all of them

    def normal(self, rows: int, *shape: int) -> Tensor:
        """Standard normal float32 (rows, *shape)."""
        return self.mine(torch.randn(rows, *shape, generator=self.generator, device=self.generator.device))

    def uniform(self, rows: int, *shape: int) -> Tensor:
        """Uniform in [0, 1), float32 (rows, *shape)."""
        return self.mine(torch.rand(rows, *shape, generator=self.generator, device=self.generator.device))

    def integers(self, high: int, rows: int) -> Tensor:
        """Uniform in {0, ..., high − 1}, int64 (rows,)."""
        return self.mine(torch.randint(high, (rows,), generator=self.generator, device=self.generator.device))

    def choice(self, count: int, rows: int) -> Tensor:
        """`rows` different numbers of range(count) in random order, int64."""
        return self.mine(torch.randperm(count, generator=self.generator, device=self.generator.device)[:rows])


@dataclass(frozen=True)
class Together:
    """Numbers for several batches that are drawn at once, of each an equal number of rows, one batch after the other.

    Each batch gets the numbers that it would get by itself.
    """

    each: Sequence[Random]

    def normal(self, rows: int, *shape: int) -> Tensor:
        """Standard normal float32 (rows, *shape), `rows` being those of all batches."""
        return torch.cat([one.normal(rows // len(self.each), *shape) for one in self.each])

    def uniform(self, rows: int, *shape: int) -> Tensor:
        """Uniform in [0, 1), float32 (rows, *shape)."""
        return torch.cat([one.uniform(rows // len(self.each), *shape) for one in self.each])

    def integers(self, high: int, rows: int) -> Tensor:
        """Uniform in {0, ..., high − 1}, int64 (rows,)."""
        return torch.cat([one.integers(high, rows // len(self.each)) for one in self.each])


Numbers = Random | Together
