"""Which pictures of a task that has ended stay in the memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.random import Address, generator, permutation
from palimpsest.sources.memory import Memory
from palimpsest.streams.pictures import Pictures, Readable

SELECTIONS = ("by_task", "random", "herding", "reservoir")
Look = Callable[[Pictures], Tensor]  # pictures to features of length 1, float (N, D)


@dataclass(frozen=True)
class Keeping:
    """How many pictures are kept, and which.

    size: in all.  per_class: of each class, in place of `size`; 0: size / classes seen, rounded down.
    selection: by_task: at random, an equal share for each past task (the experience-balanced reservoir of Avalanche's replay, as
    in 2311.14028, B); random, herding: of each class; reservoir: of all pictures seen with one chance, and at least one a class.
    """

    size: int = 0
    per_class: int = 0
    selection: str = "by_task"

    def __post_init__(self) -> None:
        for name, value in (("memory_size", self.size), ("per_class", self.per_class)):
            if value < 0:
                raise RequestError(f"{name} is {value}, and a memory holds 0 pictures or more.")
        if self.selection not in SELECTIONS:
            raise unknown("selection", self.selection, SELECTIONS)
        if self.per_class and self.selection not in ("random", "herding"):
            raise RequestError(
                f"per_class = {self.per_class} pictures are to be kept, chosen by {self.selection}, which does not go by classes; legal "
                "for selection: random, herding; or give memory_size in place of per_class."
            )

    @property
    def herds(self) -> bool:
        """Whether features are looked at."""
        return self.selection == "herding"

    def check(self, classes: int) -> None:
        """Refuse a memory in which not every class would have a picture."""
        by_class = self.selection != "by_task" and not self.per_class
        if by_class and 0 < self.size < classes:
            raise RequestError(
                f"memory_size is {self.size}, and there are {classes} classes to keep a picture of; give {classes} or more, or per_class."
            )

    def after(self, memory: Memory, task: Readable, address: Address, look: Look | None = None) -> Memory:
        """The memory once `task` has ended. Pictures that were chosen before are never chosen anew.

        look: gives the features that herding goes by.
        """
        if self.selection == "by_task":
            return self.by_task(memory, task, address)
        if self.selection == "reservoir":
            return self.reservoir(memory, task, address)
        return self.by_class(memory, task, address, look)

    def by_task(self, memory: Memory, task: Readable, address: Address) -> Memory:
        """Earlier tasks get what does not divide evenly."""
        count = len(memory.groups) + 1
        shares = [self.size // count + (place < self.size % count) for place in range(count)]
        chosen = torch.randperm(len(task), generator=generator(*address, "memory"))[: shares[-1]]
        kept = [first(past, share) for past, share in zip(memory.groups, shares, strict=False)]
        return replace(memory, groups=(*kept, task.select(chosen)))

    def by_class(self, memory: Memory, task: Readable, address: Address, look: Look | None) -> Memory:
        """Each class in the order in which its pictures were chosen; a class that comes again keeps what it has."""
        classes = task.labels.unique().tolist()
        seen = {int(group.labels[0]) for group in memory.groups} | set(classes)
        share = self.per_class or self.size // max(len(seen), 1)
        groups = [first(group, share) for group in memory.groups] if share else []
        there = {int(group.labels[0]) for group in groups}
        for number in (number for number in classes if share and number not in there):
            rows = (task.labels == number).nonzero().squeeze(1).cpu()
            if look is None or self.selection == "random":
                order = permutation((*address, "memory", number), len(rows))[:share]
            else:
                order = torch.tensor(herding(look(task.select(rows)), share))
            groups.append(task.select(rows[order]))
        return replace(memory, groups=tuple(groups))

    def reservoir(self, memory: Memory, task: Readable, address: Address) -> Memory:
        """Each picture draws a lot when it comes, and the smallest ones stay, of each class one at least.

        That is a reservoir (Vitter 1985): all pictures seen so far have one chance.
        """
        drawn, rows = torch.rand(len(task), generator=generator(*address, "memory")).sort()
        candidates = firsts(task.labels.cpu()[rows], self.size)
        groups = (*memory.groups, task.select(rows[candidates]))
        lots = (*memory.lots, drawn[candidates])
        labels, values = torch.cat([group.labels.cpu() for group in groups]), torch.cat(lots)
        order = values.argsort()
        kept = torch.zeros(len(values), dtype=torch.bool)
        kept[order] = firsts(labels[order], self.size)
        parts = [part.nonzero().squeeze(1) for part in kept.split([len(group) for group in groups])]
        groups = tuple(group.select(part) for group, part in zip(groups, parts, strict=True))
        return replace(memory, groups=groups, lots=tuple(lot[part] for lot, part in zip(lots, parts, strict=True)))


def firsts(labels: Tensor, size: int) -> Tensor:
    """Which rows are the first of their class, or among the first others, `size` in all, bool (N,); none where size is 0."""
    kept = torch.zeros(len(labels), dtype=torch.bool)
    if size:
        kept[[int((labels == number).nonzero()[0]) for number in labels.unique()]] = True
        kept[(~kept).nonzero().squeeze(1)[: max(size - int(kept.sum()), 0)]] = True
    return kept


def first(group: Pictures, count: int) -> Pictures:
    """The first so many pictures, or all where they are fewer."""
    return group.select(torch.arange(min(count, len(group))))


def herding(features: Tensor, count: int) -> list[int]:
    """The rows (of N) whose running mean stays nearest to the mean of all, in the order in which they are chosen, up to `count`.

    p_k = argmin_x ‖ μ − (φ(x) + Σ_{j<k} φ(p_j)) / k ‖ (Rebuffi et al. 2017, iCaRL, algorithm 4), no picture twice, so that
    fewer pictures are the first ones of more.

    features: of length 1, float (N, D).
    """
    mean, total = features.mean(0), torch.zeros_like(features[0])
    used = torch.zeros(len(features), dtype=torch.bool, device=features.device)
    chosen: list[Tensor] = []
    for number in range(1, min(count, len(features)) + 1):
        distance = ((features + total) / number - mean).norm(dim=1)
        place = distance.masked_fill(used, torch.inf).argmin(0, keepdim=True)
        chosen.append(place)
        used = used.index_fill(0, place, True)
        total = total + features.index_select(0, place)[0]
    return torch.cat(chosen).tolist() if chosen else []
