"""Which classes there are, and in which task each of them comes."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from palimpsest.core.errors import RequestError


def class_groups(
    classes: Sequence[int],
    tasks: int | Sequence[Sequence[int]],
    order: str | Sequence[int] = "random",
    seed: int = 0,
    base: int = 0,
) -> tuple[tuple[int, ...], ...]:
    """The classes of each task.

    tasks: how many (as equal as they can be, the first ones larger), or the classes of each, and then neither `order` nor
    `base` is used.  order: "sorted", "random", "numpy", or all classes in order. "random" is the order of the published runs of
    generative distillation: `torch.manual_seed(seed)`, then `randperm` (Masip et al. 2023, section 1 of their code's data splits).
    "numpy" is that of the class-incremental literature: `numpy.random.seed(seed)`, then `shuffle`.
    base: classes of the first task; 0: as many as the others have.
    Raises RequestError for fewer classes than tasks, and for an order that is not one of these classes.
    """
    if not isinstance(tasks, int):
        return tuple(tuple(group) for group in tasks)
    if not 1 <= tasks <= len(classes):
        raise RequestError(
            f"{tasks} tasks were asked for, and there are {len(classes)} classes; legal: 1 to {len(classes)} tasks."
        )
    check_base(base, tasks, len(classes))
    ordered = in_order(classes, order, seed)
    first, rest, steps = ordered[:base], ordered[base:], tasks - bool(base)
    share, larger = divmod(len(rest), steps) if steps else (0, 0)
    ends = [share * number + min(number, larger) for number in range(steps + 1)]
    groups = [rest[start:end] for start, end in pairwise(ends)]
    return tuple(tuple(group) for group in ([first] if base else []) + groups)


def check_base(base: int, tasks: int, count: int) -> None:
    """Refuse a first task that leaves the others without classes, or classes without a task."""
    least, most = (count, count) if tasks == 1 else (1, count - tasks + 1)
    if base and not least <= base <= most:
        legal = str(count) if tasks == 1 else f"1 to {most}, or 0"
        raise RequestError(
            f"stream.base is {base}: of {count} classes in {tasks} tasks, that is not possible; legal: {legal}."
        )


def in_order(classes: Sequence[int], order: str | Sequence[int], seed: int) -> list[int]:
    """The classes in the order that was asked for."""
    if order == "sorted":
        return sorted(classes)
    if order == "random":
        generator = torch.Generator().manual_seed(seed)
        return [classes[place] for place in torch.randperm(len(classes), generator=generator).tolist()]
    if order == "numpy":
        return [classes[place] for place in legacy(seed).permutation(len(classes)).tolist()]
    if isinstance(order, str) or sorted(order) != sorted(classes):
        raise RequestError(
            f'the class order {order} is not legal; legal: "sorted", "random", "numpy", or each of the classes '
            f"{', '.join(map(str, sorted(classes)))} once."
        )
    return list(order)


def subset_of(count: int, wanted: int, seed: int) -> list[int]:
    """`wanted` of `count` classes, sorted: `numpy.random.seed(seed)`, then `choice` without putting back.

    With the seed 1993 and ImageNet's 1,000 sorted WordNet ids these are the 100 of ImageNet-Subset (Hou et al. 2019, LUCIR).
    """
    if not 1 <= wanted <= count:
        raise RequestError(
            f"stream.subset is {wanted}, and there are {count} classes; legal: 1 to {count}, or 0 for all."
        )
    return sorted(legacy(seed).choice(count, wanted, replace=False).tolist())


def legacy(seed: int) -> np.random.RandomState:
    """NumPy's generator of old, which today's `default_rng` does not draw like."""
    if seed >= 2**32:
        raise RequestError(
            f"NumPy's legacy order takes seeds below {2**32}, and this one is {seed}; set stream.order_seed."
        )
    return np.random.RandomState(seed)
