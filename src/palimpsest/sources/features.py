"""Features in place of pictures: what a classifier sees in real ones, what a generator makes, and the codes that it makes them of."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images, class_numbers
from palimpsest.core.term import CODES, FEATURES, LABELS
from palimpsest.sources.data import Data


@dataclass(frozen=True)
class Featured:
    """What a frozen classifier sees in labelled pictures. classifier: None before there is one."""

    data: Data
    classifier: nn.Module | None
    gives: ClassVar[frozenset[str]] = frozenset({FEATURES, LABELS})

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def epoch_rows(self) -> int:
        """Pictures of an epoch."""
        return self.data.epoch_rows

    def counts(self, batch: Batch) -> tuple[int, int]:
        """As the data's."""
        return self.data.counts(batch)

    @property
    def exists(self) -> bool:
        return self.classifier is not None and self.data.exists

    @torch.no_grad()
    def draw(self, batch: Batch) -> Images:
        """Features (B, D) of the pictures as its logits see them, with their classes."""
        drawn = self.data.draw(batch)
        return replace(drawn, x=self.classifier.features(drawn.seen_by("logits").x), views={})


@dataclass(frozen=True)
class Codes:
    """What a frozen generator of features makes them of: standard normal codes, and classes, each as likely as the others.

    generator: None before there is one.
    """

    generator: nn.Module | None
    classes: tuple[int, ...]
    name: str = "codes"
    gives: ClassVar[frozenset[str]] = frozenset({CODES, LABELS})

    @property
    def exists(self) -> bool:
        return self.generator is not None and bool(self.classes)

    def draw(self, batch: Batch) -> Images:
        """Codes (B, `codes`) with their classes."""
        random = batch.random(self.name)
        codes = random.normal(batch.size, self.generator.options.codes)
        known = class_numbers(self.classes, codes.device)
        return Images(codes, known[random.integers(len(known), batch.size)], total=batch.size)


@dataclass(frozen=True)
class FeatureDreams:
    """Features of past classes that a frozen generator makes, drawn anew in every step."""

    codes: Codes
    name: str = "feature dreams"
    gives: ClassVar[frozenset[str]] = frozenset({FEATURES, LABELS})

    @property
    def exists(self) -> bool:
        return self.codes.exists

    @torch.no_grad()
    def draw(self, batch: Batch) -> Images:
        """Features (B, D) with the classes that they were asked for."""
        drawn = self.codes.draw(batch)
        return Images(self.codes.generator.make(drawn.x, drawn.y), drawn.y, total=drawn.total)
