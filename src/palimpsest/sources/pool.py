"""Pictures that a model dreams before a phase begins, and labels by itself: replay as JDCL has it (arXiv 2411.08224)."""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.core.random import Random, permutation
from palimpsest.core.term import IMAGES, LABELS, TRUE_NOISE
from palimpsest.diffusion.samplers import Sampler, check_steps
from palimpsest.models.classifier import only
from palimpsest.sources.augment import Augmentation
from palimpsest.sources.data import Data
from palimpsest.sources.kept import COUNTS, Kept
from palimpsest.streams.pictures import Pictures


@dataclass(frozen=True)
class Pool:
    """`count` pictures of each of `classes`, which a frozen model dreams and a frozen model labels.

    A dreamer that is told of classes is asked for them in turn, and its dreams have the label that was asked for; another is not
    told of what to dream. A dream is kept where its likeliest class is one of `classes` that is not full yet; others are thrown
    away. Once `most` times as many as are wanted have been dreamt, the classes that are short are
    filled up with copies of what they have, and a class that has nothing stays empty.

    dreamer: answers about noise; None before there is one.  labeller: answers with logits; None where the dreamer is told.
    soft: labels are the labeller's probabilities, and not its likeliest class.
    confidence: the least probability of the likeliest class, from 0 to 1.
    masked: the labeller chooses among `classes` alone; otherwise among all, so that some dreams are of none of them.
    views: as those of real pictures.
    every: steps after which all of it is dreamt anew; 0: never.
    """

    dreamer: nn.Module | None
    labeller: nn.Module | None
    classes: tuple[int, ...]
    count: int
    sampler: Sampler
    soft: bool = False
    confidence: float = 0.0
    most: float = 2.0
    masked: bool = False
    views: tuple[tuple[str, Augmentation], ...] = ()
    every: int = 0
    name: str = "dreams"
    kept: Kept = field(default_factory=Kept, init=False, compare=False, repr=False)
    gives: ClassVar[frozenset[str]] = frozenset({IMAGES, LABELS, TRUE_NOISE})
    is_synthetic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.count < 1 or not 1 <= self.most < math.inf or not 0 <= self.confidence < 1:
            raise RequestError(
                f"{self.name}: {self.count} pictures a class, {self.most:g} times as many dreams at the most, and a confidence "
                f"of {self.confidence:g} were asked for; give 1 or more, 1 or more, and from 0 to less than 1."
            )
        if self.every < 0:
            raise RequestError(
                f"{self.name}: they are to be dreamt anew every {self.every} steps; give 0 (never) or more."
            )
        if self.dreamer is not None:
            check_steps(self.sampler.steps, self.dreamer.process.steps)

    def __len__(self) -> int:
        return self.wanted

    @property
    def exists(self) -> bool:
        return self.dreamer is not None and bool(self.classes)

    @property
    def wanted(self) -> int:
        """How many pictures it is to hold."""
        return self.count * len(self.classes)

    @property
    def full(self) -> bool:
        """Whether there is nothing more to dream: every class has its pictures, or too many dreams were dreamt."""
        enough = self.kept.accepted is not None and int(self.kept.accepted.min()) >= self.count
        return self.kept.closed or enough or self.kept.drawn >= self.most * self.wanted

    def due(self, rows: int) -> int:
        """How many to dream at once, where that many would be convenient (0: all): of what a dreamer is told no more than are short."""
        if self.labeller is None:
            short = self.wanted - self.kept.drawn
            return min(rows or short, short)
        return rows or self.wanted

    def is_due(self, step: int) -> bool:
        """Whether it is to be dreamt anew for this step of the descent."""
        return bool(self.every) and step // self.every != self.kept.number

    def empty(self, step: int) -> None:
        """Make room for the next filling, which dreams other pictures, at this step of the descent."""
        kept = self.kept
        kept.pixels = kept.labels = kept.opinions = kept.labelled = kept.accepted = None
        kept.drawn, kept.closed, kept.number = 0, False, step // self.every

    @property
    def said(self) -> int:
        """How many classes an opinion is about."""
        return max(self.classes) + 1 if self.labeller is None else len(self.labeller.classes)

    def asked(self, random: Random, rows: int) -> Tensor | None:
        """What a dreamer that is told of classes is asked for, in turn, int64 (B,); None of another. rows: of all processes."""
        if self.labeller is not None:
            return None
        turn = (torch.arange(rows) + self.kept.drawn) % len(self.classes)
        return random.mine(torch.tensor(self.classes)[turn].to(random.generator.device))

    @torch.no_grad()
    def dream(self, random: Random, rows: int) -> tuple[Tensor, Tensor]:
        """New pictures (B, C, H, W) in [−1, 1], and opinions of their classes (B, classes). rows: of all processes."""
        noise, asked = random.normal(rows, *self.dreamer.shape), self.asked(random, rows)
        x = self.sampler(self.dreamer, noise, random, y=asked, total=rows).clamp(-1, 1)
        return x, self.look(x, asked)

    @torch.no_grad()
    def look(self, x: Tensor, asked: Tensor | None = None) -> Tensor:
        """The labeller's probabilities (B, classes) of pictures x (B, C, H, W) in [−1, 1]; all of it the class that was asked for."""
        if self.labeller is None:
            return functional.one_hot(asked, self.said).float()
        logits = self.labeller.logits(x)
        return (only(logits, self.classes) if self.masked else logits).softmax(-1)

    def take_in(self, x: Tensor, opinions: Tensor) -> None:
        """Keep what is wanted of dreams (B, C, H, W), in their order."""
        kept = self.kept
        sure, labels = opinions.max(-1)
        for name in COUNTS:
            if getattr(kept, name) is None:
                setattr(kept, name, torch.zeros(len(self.classes), dtype=torch.int64))
        chosen = []
        for place, number in enumerate(self.classes):
            rows = ((labels == number) & (sure >= self.confidence)).nonzero().squeeze(1)
            kept.labelled[place] += len(rows)
            rows = rows[: max(self.count - int(kept.accepted[place]), 0)]
            kept.accepted[place] += len(rows)
            chosen.append(rows)
        rows = torch.cat(chosen).sort().values
        kept.add(((x[rows] + 1) * 127.5).round().to(torch.uint8), labels[rows], opinions[rows])
        kept.drawn, kept.batches = kept.drawn + len(x), kept.batches + 1

    def close(self, address: tuple) -> None:
        """Fill up the classes that are short, with copies of what they have in turn."""
        kept = self.kept
        if kept.closed:
            return
        copies = []
        for place, number in enumerate(self.classes):
            rows = (kept.labels == number).nonzero().squeeze(1)
            short = self.count - int(kept.accepted[place])
            if short and len(rows):
                order = permutation((*address, self.name, "copies", number), len(rows)).to(rows.device)
                copies.append(rows[order].repeat(math.ceil(short / len(rows)))[:short])
        if copies:
            rows = torch.cat(copies)
            kept.add(kept.pixels[rows], kept.labels[rows], kept.opinions[rows])
        kept.closed = True

    @property
    def record(self) -> dict:
        """What was dreamt: how many, of which class, of them kept; the share thrown away; classes filled up, and empty ones."""
        labelled, accepted = (dict(zip(self.classes, getattr(self.kept, name).tolist(), strict=True)) for name in COUNTS)
        return {
            "drawn": self.kept.drawn,
            "labelled": labelled,
            "accepted": accepted,
            "wasted": 1 - sum(accepted.values()) / max(self.kept.drawn, 1),
            "filled_up": [c for c, count in accepted.items() if 0 < count < self.count],
            "empty": [c for c, count in accepted.items() if not count],
        }

    @property
    def data(self) -> Data:
        """Its pictures as a set that is drawn from in shuffled epochs."""
        return Data(Pictures(self.kept.pixels, self.kept.labels), name=self.name, views=self.views)

    def draw(self, batch: Batch) -> Images:
        """Pictures at the next positions of an endless row of shuffled epochs, as the labeller labelled them; none where
        none was kept."""
        data = self.data
        drawn = data.draw(batch if len(data) else replace(batch, size=0))
        return replace(drawn, y=self.kept.opinions[data.rows(batch)[batch.mine]]) if self.soft else drawn

    def pictures(self, batch: Batch) -> Images:
        """Some of its pictures, as many as the batch has rows or all of them, with their classes."""
        total = min(batch.size, len(self.kept.labels))
        rows = batch.random(self.name, "looked at").choice(len(self.kept.labels), total)
        return Images(*self.data.pictures.take(rows), total=total)
