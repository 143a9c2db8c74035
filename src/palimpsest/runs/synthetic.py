"""The synthetic pictures that an experiment asks for, before anything is trained."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image

from palimpsest.core.errors import RequestError
from palimpsest.core.words import few
from palimpsest.evaluation.pictures import digest
from palimpsest.evaluation.sheet import sample_sheet, save_sheet
from palimpsest.learning.mixing import Mixing
from palimpsest.learning.options import SyntheticOptions
from palimpsest.learning.past import Past
from palimpsest.measuring.yardstick import Yardstick
from palimpsest.models.options import CLASSIFIERS
from palimpsest.runs.config import Experiment
from palimpsest.runs.synthesizing import seconds_of, seconds_to_synthesize, synthesized
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.recorded import open_recorded, size_of
from palimpsest.streams.stream import Stream

MODELS = ("generator", "text_to_image")  # the sources that draw before training
SHEET_COLUMNS, SHEET_ROWS = 10, 20  # pictures of a class, and classes, that are shown
PER_CLASS = 500  # of a model, where synthetic.per_class is unset: the most that the paper's ablation tried


def mixing_of(experiment: Experiment, stream: Stream, learners: Sequence[str], draw: bool = True) -> Mixing | None:
    """How synthetic pictures come beside real ones; None where none are asked for, or nothing will be past.

    draw: let a model draw what is missing; otherwise blank pictures stand in for its, which cost a step as much.
    Raises RequestError for learners that are no classifiers, and where pictures of a class that will be past are missing.
    """
    options = experiment.synthetic
    if options.source == "none" or not stream.seen(len(stream) - 1):
        return None
    if not set(learners) <= set(CLASSIFIERS):
        raise RequestError(
            f"synthetic pictures are for classifiers, and strategy {experiment.strategy.name} trains the {', '.join(learners)}; choose "
            "one that trains a classifier, such as lucir or icarl, or set synthetic.source to none."
        )
    if options.source == "memory":
        return Mixing(options)
    made = mixing_with(experiment, stream, draw)
    check(made.pictures, stream)
    return replace(made, digest=digest(made.pictures))


def mixing_with(experiment: Experiment, stream: Stream, draw: bool) -> Mixing:
    """The same with labelled pictures of the classes that will be past."""
    options, needed = experiment.synthetic, stream.seen(len(stream) - 1)
    if options.source in ("ideal", "useless"):
        return Mixing(options, held_back(stream, needed, options.per_class or 0))
    count = count_of(options)
    if options.source != "recorded" and not draw:
        return Mixing(options, blank(stream, needed, count))
    names = {number: stream.class_names[number] for number in needed}
    folder = Path(options.path) if options.source == "recorded" else drawn(experiment, stream, count)
    how = {"white": stream.train.white, "device": stream.train.device}
    pictures = open_recorded(folder, names, stream.shape, count, **how)
    doubt = doubt_about(folder, stream.shape) or doubt_of_counts(pictures, stream)
    return Mixing(options, pictures, doubt=doubt, seconds=seconds_of(folder))


def count_of(options: SyntheticOptions) -> int:
    """Pictures of each class that are wanted; 0: all that are there."""
    return options.per_class or (0 if options.source == "recorded" else PER_CLASS)


def blank(stream: Stream, classes: Sequence[int], count: int) -> Pictures:
    """Pictures of nothing, `count` of each class."""
    pixels = torch.zeros(len(classes) * count, *stream.shape, dtype=torch.uint8)
    labels = torch.tensor(classes).repeat_interleave(count)
    return Pictures(pixels, labels, stream.train.white).to(stream.train.device)


def doubt_about(folder: Path, shape: tuple[int, int, int]) -> str:
    """A warning where a folder's pictures are smaller than the stream's; "" otherwise."""
    (height, width), (_, wanted, wide) = size_of(folder), shape
    if height >= wanted and width >= wide:
        return ""
    return (
        f"the synthetic pictures in {folder} are {width}×{height}, and the stream's {wide}×{wanted}, so that they are enlarged; "
        f"draw them with `palimpsest synthesize --size {max(wanted, wide)}`, or by a model that draws larger ones."
    )


def doubt_of_counts(pictures: Pictures, stream: Stream) -> str:
    """A warning where there are more pictures of one class than of another; "" otherwise."""
    counts = Counter(pictures.labels.tolist())
    (most, many), (least, few_of) = counts.most_common(1)[0], counts.most_common()[-1]
    if many == few_of:
        return ""
    return (
        f"there are {many} synthetic pictures of {stream.class_names[most]} and {few_of} of {stream.class_names[least]}, and a class is drawn "
        f"as often as it has pictures; set synthetic.per_class to {few_of} for equally many"
    )


def drawn(experiment: Experiment, stream: Stream, count: int) -> Path:
    """The folder of a model's pictures of the stream's classes, drawn now as far as they are missing."""
    return asked_of(synthesized, experiment, stream, count)


def seconds_to_draw(experiment: Experiment, stream: Stream) -> float:
    """What the drawing of synthetic pictures would take before training; 0 where no model draws, or nothing is missing."""
    options = experiment.synthetic
    if options.source not in MODELS or not stream.seen(len(stream) - 1):
        return 0.0
    return asked_of(seconds_to_synthesize, experiment, stream, count_of(options))


def asked_of(call: Callable[..., Any], experiment: Experiment, stream: Stream, count: int) -> Any:
    """What such a call says about a model's pictures of the stream's classes, `count` of each.

    Not smaller than the stream's pictures, where the model draws none that are. A text-to-image model draws the last task's classes,
    too, so that runs with another order of them have the same folder; a generator need not have learnt those.
    """
    options = experiment.synthetic
    wanted = stream.seen(len(stream) - (options.source == "generator"))
    asked = {"count": count, "device": experiment.engine.device} | options.told_to_models
    names = [stream.class_names[number] for number in sorted(wanted)]
    try:
        return call(options.path, max(stream.shape[1:]), classes=names, **asked)
    except RequestError as error:
        raise RequestError(
            f"for synthetic.source = {options.source}, which draws the stream's classes: {error}"
        ) from error


def held_back(stream: Stream, needed: Sequence[int], count: int) -> Pictures:
    """Real pictures that no run of a study learns from; at least `count` of each class that is needed."""
    if stream.held_back is None or not len(stream.held_back):
        raise RequestError(
            "ideal and useless pictures are real ones that no task has, and none were held back; set stream.held_back, for example 0.3."
        )
    there = Counter(stream.held_back.labels.tolist())
    fewest = min(needed, key=lambda number: there[number])
    if there[fewest] < count:
        raise RequestError(
            f"synthetic.per_class asks for {count} real pictures of each class, and {there[fewest]} of {stream.class_names[fewest]} "
            "are held back; ask for fewer, leave it out for all of them, or raise stream.held_back."
        )
    return stream.held_back


def check(pictures: Pictures, stream: Stream) -> None:
    """Refuse pictures that lack a class which will be past."""
    there, needed = set(pictures.labels.tolist()), stream.seen(len(stream) - 1)
    if missing := [stream.class_names[number] for number in needed if number not in there]:
        raise RequestError(
            f"there are no synthetic pictures of {few(missing)}; each class but the last task's needs some."
        )


def looked_at(mixing: Mixing | None, past: Past, yardstick: Yardstick, place: Path) -> dict[str, dict]:
    """How far synthetic pictures are from real ones, as `gap_of`; some of them are kept in a sheet at `place`."""
    if (sheet := sheet_of(mixing, past)) is not None:
        save_sheet(sheet, place)
    return gap_of(mixing, past, yardstick)


def sheet_of(mixing: Mixing | None, past: Past) -> Image | None:
    """Some of the synthetic pictures, a row a class in the order of their numbers; None where there are none but remembered ones."""
    if mixing is None or mixing.pictures is None or not len(pictures := mixing.of_past(past)):
        return None
    labels = pictures.labels.cpu()
    rows = [(labels == number).nonzero().squeeze(1)[:SHEET_COLUMNS] for number in labels.unique()[:SHEET_ROWS]]
    columns = min(map(len, rows))
    return sample_sheet(pictures.take(torch.cat([row[:columns] for row in rows]))[0], columns)


def gap_of(mixing: Mixing | None, past: Past, yardstick: Yardstick) -> dict[str, dict]:
    """How far the synthetic pictures of past classes are from real ones; nothing where there are none, or nothing is measured."""
    if mixing is None or not past.classes:
        return {}
    gap = yardstick.gap(mixing.of_past(past), tuple(dict.fromkeys(past.classes)))
    return {"synthetic": {"source": mixing.options.source, **gap}} if gap else {}
