"""Synthetic pictures in the batches of a classifier, whatever its strategy: no strategy knows of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.core.random import permutation
from palimpsest.core.term import SUPPORTED, Phase, Source, Target, Term
from palimpsest.learning.options import SyntheticOptions
from palimpsest.learning.past import Past
from palimpsest.sources import Data, Mixed, counts_of, union
from palimpsest.sources.augment import Augmentation
from palimpsest.sources.mixed import refuse_leaks
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import (
    Apart,
    Label,
    Margin,
    OnReal,
    OwnLabel,
    Sigmoids,
    Soft,
    TaughtFeatures,
    TaughtStages,
)

KINDS = {
    Label: "classification",
    Apart: "classification",
    OwnLabel: "classification",
    Soft: "distillation",
    TaughtFeatures: "distillation",
    TaughtStages: "distillation",
    Margin: "margin",
}


@dataclass(frozen=True)
class Mixing:
    """How synthetic pictures come beside real ones.

    pictures: of all classes that there are any of, with their labels; None where they are those of the memory.
    digest: a name for their content.  doubt: what a person should know of them, "" for nothing.
    seconds: that drawing them has taken, in whatever run; 0: not known.
    """

    options: SyntheticOptions
    pictures: Pictures | None = None
    digest: str = ""
    doubt: str = ""
    seconds: float = 0.0

    def into(self, made: Phase | Iterator[Phase], past: Past, now: tuple[int, ...] = ()) -> Phase | Iterator[Phase]:
        """The phases that a strategy asks for, with synthetic pictures among their real data; as they are before there is a past.

        now: classes that are present, and of which there are none, though they were there before.
        """
        past = replace(past, classes=tuple(number for number in past.classes if number not in now))
        if not past.classes:
            return made
        return self.mixed(made, past) if isinstance(made, Phase) else self.each(made, past)

    def each(self, made: Iterator[Phase], past: Past) -> Iterator[Phase]:
        """Phase by phase, telling the strategy what each left behind."""
        left = None
        while True:
            try:
                phase = made.send(left)
            except StopIteration:
                return
            left = yield self.mixed(phase, past)

    def mixed(self, phase: Phase, past: Past) -> Phase:
        """The phase with every term over real data over mixed data."""
        pictures = self.of_past(past)
        if not len(pictures):
            return phase
        refuse_leaks(pictures.labels, frozenset(past.classes))
        self.check_counting(phase.terms)
        return replace(phase, terms=tuple(self.term(term, past, pictures) for term in phase.terms))

    def term(self, term: Term, past: Past, pictures: Pictures) -> Term:
        """A term over the training data over those and synthetic pictures; any other as it is."""
        source, options = term.source, self.options
        if not is_training_data(source):
            return term
        if options.batch == "pooled":
            return replace(term, source=union(source, pictures), target=self.balanced(term.target, pictures))
        views = dict(source.views) | (
            {} if options.augmentation is None else {"logits": Augmentation(options.augmentation)}
        )
        synthetic = replace(source, pictures=pictures, name="synthetic", views=tuple(views.items()))
        added, whole = options.batch == "added", options.epoch_by == "real"
        mixed = Mixed(source, synthetic, tuple(past.classes), options.share, added, whole)
        return replace(term, source=mixed, target=self.counting(self.balanced(term.target, pictures)))

    def balanced(self, target: Target, pictures: Pictures) -> Target:
        """The target with synthetic pictures among those by whose number it weighs classes, where they count for classification.

        Remembered pictures that are drawn more often are not more pictures.
        """
        balance = getattr(target, "balance", None)
        if balance is None or self.pictures is None or self.options.losses == "distillation":
            return target
        return replace(target, balance=balance.with_more(counts_of(pictures.labels)))

    def check_counting(self, terms: Sequence[Term]) -> None:
        """Refuse synthetic pictures that would count nowhere."""
        if any(SUPPORTED in term.source.gives for term in terms):
            raise RequestError(
                f"synthetic.source is {self.options.source}, and the strategy looks for neighbours among real pictures alone; choose "
                "another than nncsl, or set synthetic.source to none."
            )
        terms = [term for term in terms if is_training_data(term.source)]
        kinds = {KINDS.get(type(term.target), "both") for term in terms}
        if terms and self.options.losses == "distillation" and not kinds & {"distillation", "both"}:
            raise RequestError(
                "synthetic.losses is distillation, and the strategy distils nothing, so that synthetic pictures would count nowhere; "
                "choose one that does, such as lucir or icarl, or set synthetic.losses to both."
            )

    def counting(self, target: Target) -> Target:
        """The target, or what leaves synthetic pictures out of it."""
        options, kind = self.options, KINDS.get(type(target), "both")
        if isinstance(target, Sigmoids) and options.losses != "both":
            raise RequestError(
                f"synthetic.losses is {options.losses}, and icarl's sigmoid loss is one of classification and distillation at once; "
                "set strategy.icarl.loss to softmax, or synthetic.losses to both."
            )
        if kind == "margin":
            return target if options.in_margin else OnReal(target)
        return target if kind == "both" or options.losses in ("both", kind) else OnReal(target)

    def of_past(self, past: Past) -> Pictures:
        """Pictures of past classes, so many of each as were asked for."""
        if self.pictures is None:
            remembered = past.memory.pictures
            return remembered.of_classes(past.classes) if len(remembered) else remembered
        classes = tuple(dict.fromkeys(past.classes))
        if self.options.source == "useless" and len(classes) < 2:  # whose label could it have?
            return self.pictures.of_classes(())
        some = self.pictures.subset(first_of_each(self.pictures.labels.cpu(), classes, self.options.per_class))
        return mislabelled(some, classes) if self.options.source == "useless" else some


def is_training_data(source: Source) -> bool:
    """Whether a source is the body of real training data, to which synthetic pictures are added."""
    return isinstance(source, Data) and source.name == "data"


def first_of_each(labels: Tensor, classes: tuple[int, ...], count: int | None) -> Tensor:
    """Rows of `count` pictures of each class, None for all, in an order of their own that does not depend on other classes."""
    chosen = []
    for number in classes:
        rows = (labels == number).nonzero().squeeze(1)
        chosen.append(rows[permutation((0, "synthetic", number), len(rows))[:count]])
    return torch.cat(chosen).sort().values


def mislabelled(pictures: Pictures, classes: tuple[int, ...]) -> Pictures:
    """Pictures each with the label of the class that arrived next after its own; those of the last with the first's."""
    numbers = torch.arange(max(classes) + 1)
    numbers[list(classes)] = torch.tensor((*classes[1:], classes[0]))
    return pictures.renumbered(numbers)
