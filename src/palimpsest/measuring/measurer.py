"""The measures of a task: sample with fixed noise, look, write down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from PIL.Image import Image
from torch import Tensor, nn

from palimpsest.core.batch import Batch
from palimpsest.core.random import Address
from palimpsest.core.term import Source
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.samplers import Sampler
from palimpsest.evaluation.catalog import LONG
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
from palimpsest.measuring.classifiers import measure_classifiers
from palimpsest.measuring.drawing import draw_samples
from palimpsest.measuring.forgetting import GIVEN, measure_forgetting, measure_kept
from palimpsest.measuring.found import Found
from palimpsest.measuring.yardstick import Yardstick
from palimpsest.models.joint import can_be_looked_into, features
from palimpsest.streams.pictures import joined
from palimpsest.streams.stream import Task

SHEET_COLUMNS = 10
PAIRS = 5

NO_PROBE = "no probe: it reads a network of diffusers, with down blocks and a middle one, that is not told of classes, and there is none"


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

        model: the generator as it was after an earlier task, a given one being that of task 0; None where it is not there any more.
        check: is told how many samples are drawn, and may raise.
        """
        found = Found()
        generator = offering(learners, "noise")
        classifiers = [learner for learner in learners.values() if "logits" in learner.heads]
        if generator is not None:
            last, learnt = task.number == len(self.yardstick.stream), self.yardstick.stream.learnt(task.number)
            samplers = {"": self.sampler} | ({LONG: self.long_sampler} if last and self.long_sampler else {})
            for suffix, sampler in samplers.items():
                samples = self.draw(generator, sampler, self.count, learnt, check)
                if self.machine.main:
                    self.of_samples(found, task, samples, suffix)
            if self.yardstick.options.kept:
                self.of_given(found, task, generator, model(GIVEN), check)
            if self.machine.main:
                measure_forgetting(found, task, generator, model, self.first, self.yardstick, self.seed)
        if self.yardstick.options.probe and self.machine.main:
            self.of_features(found, task, generator)
        if classifiers and self.machine.main:
            measure_classifiers(found, task, classifiers, self.yardstick, self.machine.device)
        return found

    def draw(
        self,
        denoiser: Denoiser,
        sampler: Sampler,
        count: int,
        classes: Sequence[int],
        check: Callable[[int], None],
        address: str = "evaluation",
    ) -> Tensor:
        """Samples (N, C, H, W) in [-1, 1] on the CPU, from the same noise for every task and sampler; where the denoiser is
        told of classes, of these in turn."""
        batch, address = self.yardstick.options.batch, (self.seed, address)
        return draw_samples(denoiser, sampler, count, batch, address, self.machine, check, classes)

    def sheet(self, samples: Tensor) -> Image:
        """The first samples as one picture."""
        return sample_sheet(samples[: self.yardstick.options.sheet], SHEET_COLUMNS)

    def of_samples(self, found: Found, task: Task, samples: Tensor, suffix: str) -> None:
        """The measures of samples against real pictures of the classes seen so far, and the sheet."""
        yardstick, options = self.yardstick, self.yardstick.options
        found.pictures[suffix] = self.sheet(samples)
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

    def of_given(
        self, found: Found, task: Task, generator: Denoiser, given: Denoiser | None, check: Callable[[int], None]
    ) -> None:
        """What is still there of a given model, by pictures that it makes itself; all processes draw."""
        if given is None:
            found.warnings.append("what was kept is not measured: there is no given model, or not any more")
            return
        kept, old = self.yardstick.options.kept, given.told_of
        own, made = (
            self.draw(each, self.sampler, kept, old, check, address)
            for each, address in ((given, "given model"), (generator, "evaluation"))
        )
        if task.number == 1:
            found.pictures["_before"] = self.sheet(self.draw(given, self.sampler, self.count, old, check))
        if self.machine.main:
            measure_kept(found, task, generator, given, own, made, self.yardstick, self.seed)

    def of_features(self, found: Found, task: Task, generator: nn.Module | None) -> None:
        """What a linear classifier makes of the features of a generator that is not told of classes; said once where there are none."""
        if generator is None or generator.conditional or not can_be_looked_into(generator.network):
            if task.number == 1:
                found.warnings.append(NO_PROBE)
            return
        batch, network = self.yardstick.options.batch, generator.network
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
