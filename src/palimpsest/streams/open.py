"""From options to a stream."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from palimpsest.core.errors import unknown
from palimpsest.streams.dataset import locate
from palimpsest.streams.digits import digits
from palimpsest.streams.folder import folder
from palimpsest.streams.hub import hub
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.parquet import parquet, parquet_files
from palimpsest.streams.stream import Stream, class_groups, split_by_class

STREAMS = {"digits": digits, "parquet": parquet, "folder": folder, "hub": hub}


def open_stream(options: StreamOptions, seed: int, device: torch.device | str) -> Stream:
    """The stream that the options describe, its pictures on `device` or memory-mapped.

    seed: the run's, which orders the classes unless stream.order_seed is set.
    Raises RequestError for what cannot be had.
    """
    data = STREAMS[kind(options)](options, torch.device(device))
    tasks = options.tasks if isinstance(options.tasks, int) else by_number(options.tasks, data.class_names)
    order_seed = seed if options.order_seed is None else options.order_seed
    groups = class_groups(range(len(data.class_names)), tasks, options.order, order_seed)
    stream = split_by_class(data.train, data.test, groups, name=data.name, class_names=data.class_names)
    return replace(stream, skipped=data.skipped).with_rounds(options.rounds)


def kind(options: StreamOptions) -> str:
    """Which of STREAMS reads this data set."""
    if options.name.startswith("hub:"):
        return "hub"
    if options.name == "digits" and not options.path:
        return "digits"
    return "parquet" if parquet_files(locate(options)) else "folder"


def by_number(tasks: Sequence[Sequence[int | str]], class_names: Sequence[str]) -> list[list[int]]:
    """Class lists with names replaced by class numbers."""
    numbers = {name: number for number, name in enumerate(class_names)}
    for label in (label for group in tasks for label in group):
        if isinstance(label, str) and label not in numbers:
            raise unknown("class", label, class_names)
    return [[numbers[label] if isinstance(label, str) else label for label in group] for group in tasks]
