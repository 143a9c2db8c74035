"""What the measures are taken against: real pictures of a stream, and the networks that look at them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.core.random import permutation
from palimpsest.evaluation.described import Described, describe_reference
from palimpsest.evaluation.evaluator import Evaluator
from palimpsest.evaluation.evaluator_cache import load_evaluator
from palimpsest.evaluation.extractors import Extractor, load_extractor
from palimpsest.evaluation.memorisation import nearest
from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.streams.pictures import Pictures, Readable, joined
from palimpsest.streams.stream import Stream, Task

ADDRESS = (0, "evaluation")  # which pictures are looked at does not depend on a run's seed


@dataclass(frozen=True)
class Yardstick:
    """A read-only handle on a stream's pictures for evaluation, apart from the one that learners get.

    flip: training turned pictures left to right.  evaluator, extractor: None where nothing is measured.
    """

    stream: Stream
    options: EvaluationOptions
    flip: bool
    evaluator: Evaluator | None = None
    extractor: Extractor | None = None
    held: dict[int, Tensor] = field(default_factory=dict)

    @cached_property
    def described(self) -> Described:
        """All pictures that samples may be compared with."""
        return describe_reference(compared(self.stream, self.options), self.extractor)

    def reference(self, task: Task) -> Described:
        """The real pictures of the classes seen so far."""
        return self.described.of_classes(self.stream.seen(task.number))

    def groups(self, task: Task) -> dict[str, dict[int, Sequence[int]]]:
        """The classes of each task seen so far, and each class by itself, by number."""
        return {
            "per_task": {earlier.number: earlier.classes for earlier in self.stream.tasks[: task.number]},
            "per_class": {number: (number,) for number in sorted(self.stream.seen(task.number))},
        }

    def training(self, task: Task) -> Pictures:
        """The training pictures of the classes seen so far."""
        return self.stream.train.of_classes(self.stream.seen(task.number))

    def held_out(self, task: Task) -> Tensor:
        """How far some test pictures of the classes seen so far lie from the training pictures of these classes."""
        if task.number not in self.held:
            pictures = some(self.stream.test.of_classes(self.stream.seen(task.number)), self.options.memorisation)
            training = self.training(task)
            there = pictures is not None and len(training)
            self.held[task.number] = nearest(pictures, training, self.flip).distances if there else torch.zeros(0)
        return self.held[task.number]

    def probes(self, task: Task) -> Tensor | None:
        """A few test pictures of a task, on the device, at which models of before and after are compared."""
        return some(task.test, self.options.denoising)


def make_yardstick(
    stream: Stream,
    options: EvaluationOptions,
    flip: bool,
    device: torch.device,
    say: Callable[[str], None],
) -> Yardstick:
    """The yardstick of a stream. Its evaluator is trained where it is not cached, and `say` told so."""
    if not options.samples:
        return Yardstick(stream, options, flip)
    for task in stream.tasks:
        if not len(compared(stream, options, stream.seen(task.number))):
            raise RequestError(
                f"after task {task.number} there are no {options.reference} pictures to compare samples with; give the "
                "classes of the task some, or measure nothing with --set evaluation.samples=0."
            )
    evaluator = load_evaluator(stream, options.evaluator, say, device).on(device)
    extractor = load_extractor(options.extractor, evaluator, options.extractor_weights, device, stream.shape)
    return Yardstick(stream, options, flip, evaluator, extractor)


def compared(stream: Stream, options: EvaluationOptions, classes: Sequence[int] | None = None) -> Readable:
    """The real pictures (of some classes) that samples are compared with."""
    parts = [stream.test] if options.reference == "test" else [stream.train, stream.test]
    return joined(parts if classes is None else [part.of_classes(classes) for part in parts])


def some(pictures: Pictures, count: int) -> Tensor | None:
    """At most `count` pictures (N, C, H, W), always the same ones; None where there would be none."""
    rows = permutation((*ADDRESS, len(pictures)), len(pictures))[:count]
    return pictures.take(rows.to(pictures.index_device))[0] if len(rows) else None
