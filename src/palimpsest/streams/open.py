"""From options to a stream."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.libraries import shortened
from palimpsest.core.references import load
from palimpsest.streams.dataset import DataSet, locate, set_apart
from palimpsest.streams.digits import digits
from palimpsest.streams.folder import folder
from palimpsest.streams.groups import class_groups, subset_of
from palimpsest.streams.hub import hub
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.parquet import parquet, parquet_files
from palimpsest.streams.stream import Stream, from_tasks, split_by_class

STREAMS = {"digits": digits, "parquet": parquet, "folder": folder, "hub": hub}


def open_stream(options: StreamOptions, seed: int, device: torch.device | str) -> Stream:
    """The stream that the options describe, its pictures on `device` or memory-mapped; one of the user's own as it is.

    seed: the run's, which orders the classes unless stream.order_seed is set.
    Raises RequestError for what cannot be had.
    """
    if options.is_own:
        return own_stream(options.name).with_rounds(options.rounds)
    data = STREAMS[kind(options)](options, torch.device(device))
    order_seed = seed if options.order_seed is None else options.order_seed
    if options.subset:
        data = of_classes(data, subset_of(len(data.class_names), options.subset, order_seed))
    if options.use == "held_back" and not options.held_back:
        raise RequestError(
            'stream.use = "held_back" needs pictures that are held back; set stream.held_back, for example 0.5.'
        )
    rest, apart = set_apart(data.train, options.held_back, options.split_seed, data.class_names)
    train, held_back = (rest, apart) if options.use == "rest" else (apart, None)
    tasks = options.tasks if isinstance(options.tasks, int) else by_number(options.tasks, data.class_names)
    groups = class_groups(range(len(data.class_names)), tasks, options.order, order_seed, options.base)
    stream = split_by_class(train, data.test, groups, name=data.name, class_names=data.class_names)
    return replace(stream, skipped=data.skipped, held_back=held_back).with_rounds(options.rounds)


def own_stream(reference: str) -> Stream:
    """The tasks that a function of the user's own returns when it is called without arguments."""
    found = load(reference, "stream")
    try:
        return from_tasks(found() if callable(found) else found, reference.rpartition(":")[2])
    except RequestError:
        raise
    except Exception as error:  # a user's function can raise anything
        raise RequestError(
            f'the stream "{reference}" failed ({type(error).__name__}: {shortened(error)}); let it be a function that is called '
            "without arguments and returns tasks: objects with classes, train and test."
        ) from error


def of_classes(data: DataSet, classes: Sequence[int]) -> DataSet:
    """The data set with these of its classes alone, numbered from 0."""
    numbers = torch.zeros(len(data.class_names), dtype=torch.int64)
    numbers[list(classes)] = torch.arange(len(classes))
    train, test = (part.of_classes(classes).renumbered(numbers) for part in (data.train, data.test))
    return replace(data, train=train, test=test, class_names=tuple(data.class_names[number] for number in classes))


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
