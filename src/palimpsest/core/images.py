"""The two things that flow: images, and images part-way to noise."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

WEAK = "weak"  # a view that is changed less than that of the logits


class Views(Mapping[str, Tensor]):
    """Augmented views of the same pictures by head, each made when it is first looked at: a head that no term asks costs nothing.

    makers: gives each view, the same whenever it is called.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Tensor]]) -> None:
        self.makers, self.made = makers, {}

    def __getitem__(self, head: str) -> Tensor:
        if head not in self.made:
            self.made[head] = self.makers[head]()
        return self.made[head]

    def __contains__(self, head: object) -> bool:
        return head in self.makers

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)


@dataclass(frozen=True)
class Images:
    """Pictures as a source gives them: this process's rows of a global batch of `total`.

    x: float (B, C, H, W) in [-1, 1].
    y: class numbers int64 (B,) or their probabilities (B, classes), or None where the source has no labels.
    views: another augmented view of the same pictures for a head that wants one.
    total: rows in the global batch, all processes together (0 stands for "as many as here").
    whole: rows of a whole batch of them, which decide whose row is whose, where those of the step's batch do not; else 0.
    everyone: the labels of the global batch, int64 (total,), where there are several processes and the source knows them.
    synthetic: how many of the rows, the last ones, are pictures that stand in for real ones.
    synthetic_total: how many such rows the global batch has.
    parts: where pictures of several kinds stand in x one after another, each kind by the name of its source.
    """

    x: Tensor
    y: Tensor | None = None
    views: Mapping[str, Tensor] = field(default_factory=dict)
    total: int = 0
    whole: int = 0
    everyone: Tensor | None = None
    synthetic: int = 0
    synthetic_total: int = 0
    parts: Mapping[str, "Images"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.total or len(self.x))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def only_real(self) -> "Images":
        """Those that stand in for nothing."""
        count, total = len(self) - self.synthetic, self.total - self.synthetic_total
        rest = {
            "views": Views({head: lambda head=head: self.views[head][:count] for head in self.views}),
            "synthetic": 0,
            "synthetic_total": 0,
        }
        labels, everyone = (each if each is None else each[:n] for each, n in ((self.y, count), (self.everyone, total)))
        return replace(self, x=self.x[:count], y=labels, total=total, everyone=everyone, **rest)

    def seen_by(self, head: str) -> "Images":
        """The view of these pictures that `head` is to be asked about."""
        return replace(self, x=self.views[head]) if head in self.views else self


@dataclass(frozen=True)
class Noised:
    """Images part-way to noise: this process's rows of a global batch of `total`.

    x_t: float (B, C, H, W).  t: noise level int64 (B,), 0 (nearly clean) to T − 1.
    y: class numbers int64 (B,), or None.
    noise: the noise that was added (B, C, H, W); None where no image was noised to get here.
    weight: what a squared ε-error counts (B,), see `diffusion.parametrisation`; None counts 1.
    answers: what a teacher already said about exactly these inputs, by teacher (rule 5 of the algebra).
    """

    x_t: Tensor
    t: Tensor
    y: Tensor | None = None
    noise: Tensor | None = None
    weight: Tensor | None = None
    answers: Mapping[object, Tensor] = field(default_factory=dict)
    total: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.total or len(self.x_t))

    def __len__(self) -> int:
        return len(self.x_t)


Flow = TypeVar("Flow", Images, Noised)


def concatenate(parts: Sequence[Flow]) -> Flow:
    """One batch from several. A field that only some of the parts have, or in another form (labels as numbers here and as probabilities
    there), is dropped, for a network needs it of all."""
    if len(parts) == 1:
        return parts[0]
    joined = {}
    for name in (f.name for f in fields(parts[0])):
        values = [getattr(part, name) for part in parts]
        if all(isinstance(value, Tensor) for value in values) and len({value.ndim for value in values}) == 1:
            joined[name] = torch.cat(values)
    return type(parts[0])(**joined, total=sum(part.total for part in parts))


@lru_cache(maxsize=8)  # copying them to a device waits for it
def class_numbers(classes: tuple[int, ...], device: torch.device) -> Tensor:
    """Class numbers int64 (N,) on a device."""
    return torch.tensor(classes, device=device)
