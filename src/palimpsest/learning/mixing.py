"""Synthetic pictures in the batches of a classifier, whatever its strategy: no strategy knows of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.core.random import permutation
from palimpsest.core.term import SUPPORTED, Phase, Source, Target, Term
from palimpsest.learning.options import SyntheticOptions
from palimpsest.learning.past import Past
from palimpsest.sources import Data, Mixed, counts_of, union
from palimpsest.sources.augment import Augmentation
from palimpsest.sources.guarded import Guarded, Leak
from palimpsest.streams.pictures import Pictures, Readable
from palimpsest.targets import OnReal

BOTH = "both"  # of a target that says of no kind that it is


@dataclass(frozen=True)
class Mixing:
    """How synthetic pictures come beside real ones.

    pictures: of all classes that there are any of, with their labels; None where they are those of the memory.
    digest: a name for their content.  doubt: what a person should know of them, "" for nothing.
    seconds: that drawing them has taken, in whatever run; 0: not known.
    leak: where a picture of a class that is not past is noted, if one should be drawn.
    """

    options: SyntheticOptions
    pictures: Pictures | None = None
    digest: str = ""
    doubt: str = ""
    seconds: float = 0.0
    leak: Leak = field(default_factory=Leak, compare=False, repr=False)

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
        """The phase with every term over real data over mixed data; as it is where they would count in none of its losses."""
        pictures = self.of_past(past)
        if not len(pictures):
            return phase
        self.check_sources([term.source for term in phase.present])
        targets = [term.target for term in phase.present if is_training_data(term.source)]
        self.check_counting(targets)
        if not any(self.counts(target) for target in targets):
            return phase
        guarded = Guarded(pictures, tuple(past.classes), self.leak)
        return replace(phase, terms=tuple(self.term(term, guarded) for term in phase.terms))

    def term(self, term: Term, pictures: Guarded) -> Term:
        """A term over the training data over those and synthetic pictures; any other as it is."""
        source, options = term.source, self.options
        if not is_training_data(source):
            return term
        target = self.balanced(term.target, pictures)
        if options.batch == "pooled":
            among = replace(union(source, pictures), synthetic=len(pictures))
            return replace(term, source=among, target=target)
        views = dict(source.views) | (
            {} if options.augmentation is None else {"logits": Augmentation(options.augmentation)}
        )
        synthetic = replace(source, pictures=pictures, name="synthetic", views=tuple(views.items()))
        added, whole = options.batch == "added", options.epoch_by == "real"
        mixed = Mixed(source, synthetic, options.share, added, whole)
        return replace(term, source=mixed, target=target if self.counts(target) else OnReal(target))

    def balanced(self, target: Target, pictures: Readable) -> Target:
        """The target with synthetic pictures among those by whose number it weighs classes, where they count for classification.

        Remembered pictures that are drawn more often are not more pictures.
        """
        balance = getattr(target, "balance", None)
        if balance is None or self.pictures is None or self.options.losses == "distillation":
            return target
        return replace(target, balance=balance.with_more(counts_of(pictures.labels)))

    def check_sources(self, sources: Sequence[Source]) -> None:
        """Refuse synthetic pictures where they could not be among those that a loss compares with."""
        if any(SUPPORTED in source.gives for source in sources):
            raise RequestError(
                f"synthetic.source is {self.options.source}, and the strategy looks for neighbours among real pictures alone; choose "
                "another than nncsl, or set synthetic.source to none."
            )

    def check_counting(self, targets: Sequence[Target]) -> None:
        """Refuse to let synthetic pictures count in losses of one kind where none is, or where one may be of several."""
        losses = self.options.losses
        if not targets or losses == BOTH:
            return
        if mingled := [target.name for target in targets if kind_of(target) == BOTH]:
            raise RequestError(
                f'synthetic.losses is {losses}, and the loss "{mingled[0]}" is one of classification and distillation at once, or does not '
                "say which; set synthetic.losses to both, strategy.icarl.loss to softmax, or give a target of your own its `kind`."
            )
        if losses == "distillation" and all(kind_of(target) != losses for target in targets):
            raise RequestError(
                "synthetic.losses is distillation, and the strategy distils nothing, so that synthetic pictures would count nowhere; "
                "choose one that does, such as lucir or icarl, or set synthetic.losses to both."
            )

    def counts(self, target: Target) -> bool:
        """Whether synthetic pictures count in a loss."""
        options, kind = self.options, kind_of(target)
        return options.in_margin if kind == "margin" else BOTH in (kind, options.losses) or kind == options.losses

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


def kind_of(target: Target) -> str:
    """Of which kind a loss is: classification, distillation, margin, or both of the first two."""
    return getattr(target, "kind", BOTH)


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
