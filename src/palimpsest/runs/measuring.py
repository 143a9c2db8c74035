"""The measures of a task: sample with fixed noise, look, write down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

from palimpsest.core.batch import Batch
from palimpsest.core.random import Address
from palimpsest.core.term import Source
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.samplers import Sampler
from palimpsest.evaluation.catalog import LONG
from palimpsest.evaluation.denoising import denoising_error, predictions, spread_levels
from palimpsest.evaluation.described import describe_samples
from palimpsest.evaluation.linear_probe import linear_probe
from palimpsest.evaluation.measures import measure_generation, measure_groups
from palimpsest.evaluation.memorisation import (
    class_weights,
    closest_pairs,
    memorisation,
    memorisation_error,
    nearest,
)
from palimpsest.evaluation.replay import examine_replay
from palimpsest.evaluation.sheet import sample_sheet
from palimpsest.learning.devices import Machine
from palimpsest.models.joint import features
from palimpsest.runs.drawing import draw_samples
from palimpsest.runs.found import Found
from palimpsest.runs.measuring_classifiers import measure_classifiers
from palimpsest.runs.yardstick import Yardstick
from palimpsest.streams.pictures import joined
from palimpsest.streams.stream import Task

SHEET_COLUMNS = 10
PAIRS = 5


@dataclass(frozen=True)
class Measurer:
    """Takes the measures after each task, by what the learners offer: noise is sampled, classes are predicted.

    yardstick: what is measured against.  first: what the first model that knew a task says about it, by task.
    """

    yardstick: Yardstick
    sampler: Sampler
    long_sampler: Sampler | None
    machine: Machine
    seed: int
    first: dict[int, Tensor] = field(default_factory=dict)

    @property
    def samplers_in_words(self) -> dict[str, str]:
        """Such as {"own": "ddim-10", "long": "ddim-50"}."""
        samplers = {"own": self.sampler, "long": self.long_sampler}
        return {name: f"{sampler.name}-{sampler.steps}" for name, sampler in samplers.items() if sampler}

    @property
    def count(self) -> int:
        """How many samples are drawn at a time."""
        return max(self.yardstick.options.samples, self.yardstick.options.sheet)

    def examine(
        self,
        task: Task,
        learners: Mapping[str, nn.Module],
        model: Callable[[int], Denoiser | None],
        check: Callable[[int], None] = lambda drawn: None,
    ) -> Found:
        """All that can be found out after a task; all processes draw, and the first one measures.

        model: the generator as it was after an earlier task; None where it is not there any more.
        check: is told how many samples are drawn, and may raise.
        """
        found = Found()
        generator = offering(learners, "noise")
        classifiers = [learner for learner in learners.values() if "logits" in learner.heads]
        if generator is not None:
            last = task.number == len(self.yardstick.stream)
            samplers = {"": self.sampler} | ({LONG: self.long_sampler} if last and self.long_sampler else {})
            for suffix, sampler in samplers.items():
                samples = self.draw(generator, sampler, task, check)
                if self.machine.main:
                    self.of_samples(found, task, samples, suffix)
            if self.machine.main:
                self.of_forgetting(found, task, generator, model)
                self.of_features(found, task, generator)
        if classifiers and self.machine.main:
            measure_classifiers(found, task, classifiers, self.yardstick, self.machine.device)
        return found

    def draw(self, denoiser: Denoiser, sampler: Sampler, task: Task, check: Callable[[int], None]) -> Tensor:
        """Samples (N, C, H, W) in [-1, 1] on the CPU, from the same noise for every task and sampler; where the denoiser is
        told of classes, of all that have been learnt, in turn."""
        address, batch = (self.seed, "evaluation"), self.yardstick.options.batch
        learnt = self.yardstick.stream.learnt(task.number)
        return draw_samples(denoiser, sampler, self.count, batch, address, self.machine, check, learnt)

    def of_samples(self, found: Found, task: Task, samples: Tensor, suffix: str) -> None:
        """The measures of samples against real pictures of the classes seen so far, and the sheet."""
        yardstick, options = self.yardstick, self.yardstick.options
        found.pictures[suffix] = sample_sheet(samples[: options.sheet], SHEET_COLUMNS)
        samples = samples[: options.samples]
        if yardstick.evaluator is None:
            return
        if broken := int((~samples.isfinite().flatten(1).all(dim=1)).sum()):
            found.warnings.append(f"no measures: {broken} of {len(samples)} samples hold NaN or infinite pixels")
            return
        made = describe_samples(samples, yardstick.evaluator, yardstick.extractor)
        real = yardstick.reference(task)
        measures, warnings = measure_generation(made, real, len(yardstick.stream.class_names))
        found.warnings += [f"task {task.number}{' (long sampler)' if suffix else ''}: {words}" for words in warnings]
        found.facts["reference"] = len(real)
        for name, groups in yardstick.groups(task).items():
            numbers = measure_groups(made, real, list(groups.values()))
            what = name.removeprefix("per_")
            found.add_group(name + suffix, [{what: n} | each for n, each in zip(groups, numbers, strict=True)])
        measures |= self.of_copies(found, task, samples, made.labels, suffix)
        found.measures |= {name + suffix: value for name, value in measures.items()}

    def of_copies(self, found: Found, task: Task, samples: Tensor, seen: Tensor, suffix: str) -> dict[str, float]:
        """Whether samples, in which the evaluator has seen classes, copy training pictures; the pairs most alike."""
        training, (held_out, classes) = self.yardstick.training(task), self.yardstick.held_out(task)
        samples, seen = (each[: self.yardstick.options.memorisation] for each in (samples, seen))
        weights = class_weights(seen, classes)
        if not (len(samples) and len(training) and weights.sum() > 0):
            return {}
        near = nearest(samples.to(self.machine.device), training, self.yardstick.flip)
        pair = closest_pairs(samples, near.distances, near.indices, training, PAIRS)
        found.pictures[f"{suffix}_closest"] = sample_sheet(torch.cat(pair), len(pair[0]))
        return {
            "memorisation": memorisation(near.distances, held_out, weights=weights),
            "memorisation_se": memorisation_error(len(samples), len(held_out)),
        }

    def of_forgetting(
        self, found: Found, task: Task, denoiser: Denoiser, model: Callable[[int], Denoiser | None]
    ) -> None:
        """Where, in noise levels, the model has moved away from the first models that knew the past tasks."""
        errors = []
        for earlier in self.yardstick.seen(task):
            pictures = self.yardstick.probes(earlier)
            if pictures is None:
                return
            address = (self.seed, "denoising error", earlier.number)
            present = predictions(denoiser, *pictures, address)
            if earlier is task:
                self.first[task.number] = present
            elif earlier.number not in self.first:  # after an interruption
                if (first := model(earlier.number)) is None:
                    found.warnings.append(
                        f"no denoising error: the model of task {earlier.number} is not there any more"
                    )
                    return
                self.first[earlier.number] = predictions(first, *pictures, address)
            if earlier is not task:
                errors.append(denoising_error(present, self.first[earlier.number]))
        if errors:
            found.facts["denoising_error"] = {"levels": spread_levels(denoiser.process.steps), "errors": errors}

    def of_features(self, found: Found, task: Task, generator: nn.Module) -> None:
        """What a linear classifier makes of the features of a generator that is not told of classes."""
        options = self.yardstick.options
        if not options.probe or generator.conditional or not isinstance(generator.network, UNet2DModel):
            return
        batch, network = options.batch, generator.network
        test, training = joined([earlier.test for earlier in self.yardstick.seen(task)]), self.yardstick.probed(task)
        if not len(test) or len(training.labels.unique()) < 2:  # nothing to tell apart
            return

        def seen(x: Tensor) -> Tensor:
            return torch.cat([features(network, part) for part in x.split(batch)])

        found.measures["accuracy_probe"] = linear_probe(seen, training, test, self.machine.device)

    def of_replay(self, source: Source, due: Sequence[int], address: Address) -> dict | None:
        """What a source replays, by the evaluator; all processes draw. None where it is not looked at."""
        evaluator, options = self.yardstick.evaluator, self.yardstick.options
        if evaluator is None or not options.replay or not due:
            return None
        with self.machine.autocast():
            batch = Batch(options.replay, 0, address, self.machine.device, self.machine.rank, self.machine.world)
            drawn = source.pictures(batch)
        if not drawn.total:
            return None
        labels = None if drawn.y is None else self.machine.gathered(drawn.y)
        return examine_replay(evaluator.labels(self.machine.gathered(drawn.x)), due, labels)


def offering(learners: Mapping[str, nn.Module], head: str) -> nn.Module | None:
    """The learner that answers to a head; None where none does."""
    return next((learner for learner in learners.values() if head in learner.heads), None)
