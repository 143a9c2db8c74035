"""What the measures are taken against: real pictures of a stream, and the networks that look at them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.core.random import permutation
from palimpsest.evaluation.described import Described, describe_reference, together
from palimpsest.evaluation.evaluator import Evaluator
from palimpsest.evaluation.evaluator_cache import load_evaluator
from palimpsest.evaluation.extractors import Extractor, load_extractor
from palimpsest.evaluation.memorisation import nearest
from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.streams.pictures import Readable, joined
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
    described: dict[int, Described] = field(default_factory=dict)
    held: dict[int, Tensor] = field(default_factory=dict)

    def reference(self, task: Task) -> Described:
        """The real pictures of the tasks seen so far, that samples are compared with."""
        return together([self.describe(earlier) for earlier in self.seen(task)])

    def describe(self, task: Task) -> Described:
        """The real pictures of one task; looked at once."""
        if task.number not in self.described:
            self.described[task.number] = describe_reference(compared([task], self.options), self.extractor)
        return self.described[task.number]

    def seen(self, task: Task) -> tuple[Task, ...]:
        """The tasks up to this one."""
        return self.stream.tasks[: task.number]

    def groups(self, task: Task) -> dict[str, dict[int, Sequence[int]]]:
        """The classes of each task seen so far, and each class by itself, by number."""
        return {
            "per_task": {earlier.number: earlier.classes for earlier in self.seen(task)},
            "per_class": {number: (number,) for number in sorted(self.stream.seen(task.number))},
        }

    def training(self, task: Task) -> Readable:
        """The training pictures of the tasks seen so far."""
        return joined([earlier.train for earlier in self.seen(task)])

    def held_out(self, task: Task) -> Tensor:
        """How far some test pictures of the tasks seen so far lie from their training pictures."""
        if task.number not in self.held:
            pictures = some(joined([earlier.test for earlier in self.seen(task)]), self.options.memorisation)
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
        if not len(compared(stream.tasks[: task.number], options)):
            raise RequestError(
                f"after task {task.number} there are no {options.reference} pictures to compare samples with; give the "
                "classes of the task some, or measure nothing with --set evaluation.samples=0."
            )
    evaluator = load_evaluator(stream, options.evaluator, say, device).on(device)
    extractor = load_extractor(options.extractor, evaluator, options.extractor_weights, device, stream.shape)
    return Yardstick(stream, options, flip, evaluator, extractor)


def compared(tasks: Sequence[Task], options: EvaluationOptions) -> Readable:
    """The real pictures of some tasks that samples are compared with."""
    parts = [task.test for task in tasks]
    return joined(parts if options.reference == "test" else [*(task.train for task in tasks), *parts])


def some(pictures: Readable, count: int) -> Tensor | None:
    """At most `count` pictures (N, C, H, W), always the same ones; None where there would be none."""
    rows = permutation((*ADDRESS, len(pictures)), len(pictures))[:count]
    return pictures.take(rows.to(pictures.index_device))[0] if len(rows) else None
