"""What the measures are taken against: real pictures of a stream, and the networks that look at them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.core.random import permutation
from palimpsest.evaluation.clip import load_clip
from palimpsest.evaluation.described import Described, describe_reference, together
from palimpsest.evaluation.evaluator import Evaluator
from palimpsest.evaluation.evaluator_cache import load_evaluator
from palimpsest.evaluation.extractors import Extractor, load_extractor
from palimpsest.evaluation.gap import domain_gap
from palimpsest.evaluation.memorisation import nearest
from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.streams.pictures import Readable, joined
from palimpsest.streams.stream import Stream, Task

WAYS_OUT = (
    "give it classes to tell apart or more to learn by (evaluation.evaluator), take other features (evaluation.extractor), or "
    "measure nothing (evaluation.samples=0, and of synthetic pictures evaluation.gap=0)"
)
ADDRESS = (0, "evaluation")  # which pictures are looked at does not depend on a run's seed


@dataclass(frozen=True)
class Yardstick:
    """A read-only handle on a stream's pictures for evaluation, apart from the one that learners get.

    flip: training turned pictures left to right.  evaluator, extractor: None where nothing is measured.  clip: None where it
    is not asked for.
    """

    stream: Stream
    options: EvaluationOptions
    flip: bool
    evaluator: Evaluator | None = None
    extractor: Extractor | None = None
    clip: Extractor | None = None
    described: dict[int, Described] = field(default_factory=dict)
    references: dict[int, Described] = field(default_factory=dict)
    held: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def reference(self, task: Task) -> Described:
        """The real pictures of the tasks seen so far, that samples are compared with; one for both samplers."""
        if task.number not in self.references:
            self.references.clear()  # an earlier task's is not asked for again
            self.references[task.number] = together([self.describe(earlier) for earlier in self.seen(task)])
        return self.references[task.number]

    def describe(self, task: Task) -> Described:
        """The real pictures of one task; looked at once, and together with all others where no class comes again."""
        if not self.stream.recurs:
            return self.whole.of_classes(task.classes)
        if task.number not in self.described:
            self.described[task.number] = describe_reference(compared([task], self.options), self.extractor)
        return self.described[task.number]

    @cached_property
    def whole(self) -> Described:
        """All real pictures that samples may be compared with, described."""
        return describe_reference(self.all_real, self.extractor)

    @property
    def all_real(self) -> Readable:
        """All real pictures that samples may be compared with, in an order that is the same for every order of tasks."""
        return joined([self.stream.test] if self.options.reference == "test" else [self.stream.train, self.stream.test])

    def seen(self, task: Task) -> tuple[Task, ...]:
        """The tasks up to this one in which something arrived."""
        return tuple(each for each in self.stream.tasks[: task.number] if each.classes)

    def groups(self, task: Task) -> dict[str, dict[int, Sequence[int]]]:
        """The classes of each task seen so far, and each class by itself, by number."""
        return {
            "per_task": {earlier.number: earlier.classes for earlier in self.seen(task)},
            "per_class": {number: (number,) for number in sorted(self.stream.seen(task.number))},
        }

    def training(self, task: Task) -> Readable:
        """The training pictures of the tasks seen so far."""
        return joined([earlier.train for earlier in self.seen(task)])

    def probed(self, task: Task) -> Readable:
        """Some of the training pictures of the tasks seen so far, for a linear probe."""
        training = self.training(task)
        return training.select(some(training, self.options.probe))

    def held_out(self, task: Task) -> tuple[Tensor, Tensor]:
        """Some test pictures of the tasks seen so far: how far they lie from the training pictures, and their classes."""
        if task.number not in self.held:
            tests = joined([earlier.test for earlier in self.seen(task)])
            rows, training = some(tests, self.options.memorisation), self.training(task)
            there = len(rows) and len(training)
            near = nearest(tests.take(rows)[0], training, self.flip).distances if there else torch.zeros(0)
            self.held[task.number] = near, tests.labels[rows.to(tests.labels.device)].cpu()
        return self.held[task.number]

    def gap(self, pictures: Readable, classes: Sequence[int]) -> dict:
        """How far labelled pictures of these classes, at most evaluation.gap of them, are from the real ones that samples are
        compared with; {} without measures."""
        if self.evaluator is None or not len(pictures):
            return {}
        pictures = pictures.select(some(pictures, self.options.gap))
        made = describe_reference(pictures, self.extractor)
        x = (pictures.take(rows)[0] for rows in torch.arange(len(pictures)).split(self.options.batch))
        seen = torch.cat([self.evaluator.labels(part) for part in x]).cpu()
        by_clip = self.clip and tuple(describe_reference(each, self.clip) for each in (pictures, self.all_real))
        return domain_gap(made, self.whole, seen, classes, by_clip)

    @property
    def doubt(self) -> str:
        """Why the evaluator's features and labels mean nothing, in a sentence; "" where nothing is known against them."""
        if self.evaluator is None:
            return ""
        counts = self.stream.test.labels.bincount()
        pictures, commonest = int(counts.sum()), float(counts.max() / counts.sum()) if len(counts) else 0.0
        if len(self.stream.class_names) < 2:
            why = "the evaluator has one class alone to learn from, so that it has learnt nothing"
        elif self.evaluator.accuracy < 1 and self.evaluator.accuracy < commonest + 2 * math.sqrt(
            commonest * (1 - commonest) / max(pictures, 1)
        ):
            why = (
                f"the evaluator labels {self.evaluator.accuracy:.1%} of the {pictures} test pictures rightly, hardly more than "
                f"the {commonest:.1%} of the commonest class"
            )
        else:
            return ""
        those = "all measures of samples" if self.extractor.sha256 == self.evaluator.sha256 else "kld, total_variation"
        return f"{why}: {those} and what is said of replay mean nothing; {WAYS_OUT}"

    def probes(self, task: Task) -> tuple[Tensor, Tensor] | None:
        """A few test pictures of a task and their classes, on the device, at which models of before and after are compared."""
        rows = some(task.test, self.options.denoising)
        return task.test.take(rows) if len(rows) else None


def make_yardstick(
    stream: Stream,
    options: EvaluationOptions,
    flip: bool,
    device: torch.device,
    say: Callable[[str], None],
    compares: str = "samples",
) -> Yardstick:
    """The yardstick of a stream. Its evaluator is trained where it is not cached, and `say` told so.

    compares: what is held to real pictures, by the option that says how many: "samples", or synthetic pictures ("gap").
    """
    if not getattr(options, compares):
        return Yardstick(stream, options, flip)
    for task in stream.tasks:
        there = set(compared([task], options).labels.tolist())
        for label in task.classes:
            if label not in there:
                raise RequestError(
                    f"task {task.number} has no {options.reference} pictures of class {label} "
                    f'("{stream.class_names[label]}") to compare samples with; give it some, hold some out with '
                    f"--set stream.test_share=0.2, or measure nothing with --set evaluation.{compares}=0."
                )
    evaluator = load_evaluator(stream, options.evaluator, say, device).on(device)
    extractor = load_extractor(options.extractor, evaluator, options.extractor_weights, device, stream.shape)
    clip = load_clip(options.clip, device) if options.clip else None
    return Yardstick(stream, options, flip, evaluator, extractor, clip)


def compared(tasks: Sequence[Task], options: EvaluationOptions) -> Readable:
    """The real pictures of some tasks that samples are compared with."""
    parts = [task.test for task in tasks]
    return joined(parts if options.reference == "test" else [*(task.train for task in tasks), *parts])


def some(pictures: Readable, count: int) -> Tensor:
    """Rows of at most `count` pictures, int64, always the same ones."""
    return permutation((*ADDRESS, len(pictures)), len(pictures))[:count].to(pictures.index_device)
