"""The measures of a task: sample with fixed noise, look, write down."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.samplers import Sampler
from palimpsest.evaluation.evaluator import Evaluator
from palimpsest.evaluation.evaluator_cache import load_evaluator
from palimpsest.evaluation.measures import References, measure_generation
from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.evaluation.sheet import sample_sheet, save_sheet
from palimpsest.learning.devices import Machine
from palimpsest.streams.pictures import Readable, joined
from palimpsest.streams.stream import Stream, Task

SHEET_COLUMNS = 10


@dataclass(frozen=True)
class Measurer:
    """Takes the measures after each task. It has its own, read-only handle on the stream's pictures.

    evaluator: None where nothing is measured.
    """

    stream: Stream
    options: EvaluationOptions
    sampler: Sampler
    machine: Machine
    seed: int
    evaluator: Evaluator | None = None
    references: References = field(default_factory=References)

    @property
    def count(self) -> int:
        """How many samples are drawn."""
        return max(self.options.samples, self.options.sheet)

    def draw(self, denoiser: Denoiser, check: Callable[[int], None]) -> Tensor:
        """Samples (N, C, H, W) in [-1, 1] on the CPU, from the same noise for every task; `check` may stop it."""
        return draw_samples(
            denoiser, self.sampler, self.count, self.options.batch, (self.seed, "evaluation"), self.machine, check
        )

    def measure(self, samples: Tensor, task: Task) -> tuple[dict[str, float], list[str]]:
        """The measures against real pictures of the classes seen so far, and warnings beside them."""
        if self.evaluator is None:
            return {}, []
        reference = reference_of(self.stream, task, self.options)
        drawn = samples[: self.options.samples]
        return measure_generation(drawn, reference, self.evaluator, len(self.stream.class_names), self.references)

    def sheet(self, samples: Tensor, path: Path) -> None:
        """The first samples, as a picture."""
        save_sheet(sample_sheet(samples[: self.options.sheet], SHEET_COLUMNS), path)


def make_measurer(
    stream: Stream,
    options: EvaluationOptions,
    sampler: Sampler,
    machine: Machine,
    seed: int,
    say: Callable[[str], None],
) -> Measurer:
    """A measurer with the stream's evaluator, which is trained where it is not cached."""
    for task in stream.tasks if options.samples else ():
        if not len(reference_of(stream, task, options)):
            raise RequestError(
                f"after task {task.number} there are no {options.reference} pictures to compare samples with; give the "
                "classes of the task some, or measure nothing with --set evaluation.samples=0."
            )
    evaluator = load_evaluator(stream, options.evaluator, say) if options.samples else None
    return Measurer(stream, options, sampler, machine, seed, evaluator)


def reference_of(stream: Stream, task: Task, options: EvaluationOptions) -> Readable:
    """The real pictures of the classes seen so far that samples are compared with."""
    parts = [stream.test] if options.reference == "test" else [stream.train, stream.test]
    return joined([part.of_classes(stream.seen(task.number)) for part in parts])


@torch.no_grad()
def draw_samples(
    denoiser: Denoiser,
    sampler: Sampler,
    count: int,
    batch: int,
    address: tuple,
    machine: Machine,
    check: Callable[[int], None] = lambda drawn: None,
) -> Tensor:
    """`count` samples (count, C, H, W) on the CPU, float32 in [-1, 1]; the processes share each batch.

    check: is told before each batch how many are drawn, and may raise.
    """
    parts = []
    for first in range(0, count, batch):
        check(first)
        rows = min(batch, count - first)
        random = machine.random(*address, first)
        noise = random.normal(rows, *denoiser.shape)
        with machine.autocast():
            mine = sampler(denoiser, noise, random, total=rows)
        parts.append(machine.gathered(mine).cpu())
    return torch.cat(parts).clamp(-1, 1)
