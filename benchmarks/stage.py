"""A run on pictures of noise that has its first task behind it, and how its steps are timed."""

import math
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from diffusers import ModelMixin
from rich.table import Table

from palimpsest.learning.continual import open_task, turn_page
from palimpsest.learning.devices import Machine
from palimpsest.runs.assembly import Assembly, assemble
from palimpsest.runs.config import resolve
from palimpsest.runs.probe import walk, whole_chunks
from palimpsest.runs.tables import read_experiment
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.stream import Stream, split_by_class

WARM_UP = 2


@dataclass(frozen=True)
class Method:
    """A strategy with its options. halves: batches that the student learns from a step.  passes: of the teacher, a picture."""

    strategy: str
    halves: int
    passes: float
    options: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return ", ".join([self.strategy, *(f"{name} {value:g}" for name, value in self.options.items())])


def noise_stream(shape: tuple[int, int, int]) -> Stream:
    """Two tasks of random pictures: what they show does not change what a step costs."""
    pixels = torch.randint(0, 256, (512, *shape), dtype=torch.uint8)
    pictures = Pictures(pixels, torch.arange(512) % 4)
    return split_by_class(pictures, pictures, [[0, 1], [2, 3]], name="noise", class_names=list("abcd"))


def second_task(experiment: str, method: Method, batch: int, precision: str = "fp32") -> Assembly:
    """A run that has its first task behind it, so that there is a teacher."""
    settings = {"training.steps": 1000, "training.epochs": 0, "training.batch": batch, "stream.name": "noise"}
    settings |= {"classifier.strategy": "none", "engine.precision": precision, "engine.threads": 0}
    shape = (1, 8, 8) if experiment == "digits" else (1, 32, 32)
    assembly = assemble(
        resolve(read_experiment(experiment), method.strategy, method.options, settings), noise_stream(shape)
    )
    plan, progress = assembly.plan, assembly.progress
    now = open_task(plan, progress, assembly.stream.tasks[0])
    turn_page(plan, now, progress, progress.past.remembering(now))
    return assembly


def plain(network: ModelMixin) -> ModelMixin:
    """The same network as diffusers makes it. Converting back would not do: a first layer of one channel keeps the strides of
    channels last, which are those of a contiguous layout as well, and hands its layout on to the others."""
    made = type(network).from_config(network.config).to(network.device)
    made.load_state_dict(network.state_dict())
    return made.train()


def default_batch(experiment: str) -> int:
    """What a CPU can bear."""
    return 32 if experiment == "digits" else 8


def spread(ratios: Iterable[float], style: str = ".2f") -> str:
    """The median of what rounds gave, and its range."""
    values = sorted(ratios)
    return f"{statistics.median(values):{style}} ({values[0]:{style}}–{values[-1]:{style}})"


def make_table(title: str, words: list[str], numbers: list[str], **options: object) -> Table:
    """An empty table whose first columns hold words and the others numbers."""
    table = Table(title=f"{title}, {torch.get_num_threads()} threads", **options)
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def timed(work: Callable[[], None], times: int, machine: Machine) -> float:
    """Mean seconds of a call, after a warm-up. The device is waited for before and after, and not in between."""
    for _ in range(WARM_UP):
        work()
    machine.synchronize()
    began = time.perf_counter()
    for _ in range(times):
        work()
    machine.synchronize()
    return (time.perf_counter() - began) / times


def whole_step(assembly: Assembly, steps: int) -> float:
    """The mean time of at least so many steps of the second task, in whole chunks of what is drawn ahead."""
    place = assembly.plan, assembly.progress, assembly.stream.tasks[1]
    stretches = walk(*place, {}).stretches
    return walk(*place, whole_chunks(stretches, math.ceil(steps / stretches[0].chunk))).stretches[0].seconds
