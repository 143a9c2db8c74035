"""Few labels: which of a stream's training pictures a learner gets with their class."""

from dataclasses import replace

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.core.random import permutation
from palimpsest.streams.stream import Stream, Task


def with_labels(stream: Stream, labels: float, seed: int) -> Stream:
    """The stream with so many labelled training pictures of each class, chosen at random by `seed`.

    labels: a share of each class below 1, rounded, or a number of pictures; 0: all.
    Raises RequestError where a class would have none, or has fewer than that.
    """
    if not labels:
        return stream
    if labels >= 1 and labels % 1:
        raise RequestError(f"stream.labels is {labels:g}; give a share below 1, or a whole number of pictures a class.")
    tasks = (replace(task, labelled=chosen(stream, task, labels, seed)) for task in stream.tasks)
    return replace(stream, tasks=tuple(tasks))


def chosen(stream: Stream, task: Task, labels: float, seed: int) -> Tensor:
    """The labelled rows of a task's training pictures, in their order."""
    found = []
    for number in task.classes:
        rows = (task.train.labels == number).nonzero().squeeze(1).cpu()
        count = int(labels) if labels >= 1 else round(labels * len(rows))
        if not 1 <= count <= len(rows):
            raise RequestError(
                f"stream.labels = {labels:g} was asked for, and of the {len(rows)} training pictures of class {number} "
                f'("{stream.class_names[number]}") that would be {count}; give a number from 1 to {len(rows)}, or a share that '
                "leaves one."
            )
        found.append(rows[permutation((seed, "labels", task.number, number), len(rows))[:count]])
    return torch.cat(found).sort().values if found else torch.zeros(0, dtype=torch.int64)
