"""The phases that a strategy asks for, by hand: what a past and a present are made of, and what their terms weigh."""

import torch

from palimpsest.core.term import Phase
from palimpsest.learning.teacher import Teacher
from palimpsest.sources import Data
from palimpsest.streams.pictures import Pictures


def phases_of(made: Phase | object, left: Teacher = Teacher()) -> list[Phase]:
    """All phases of what a strategy gave, which is told that each has left `left` behind."""
    if isinstance(made, Phase):
        return [made]
    found, told = [], None
    while True:
        try:
            found.append(made.send(told))
        except StopIteration:
            return found
        told = left


def weights_of(phase: Phase) -> dict[str, float]:
    """What each term that is present weighs."""
    return {term.name: term.weight for term in phase.present}


def of_class(number: int, count: int = 8, **more: object) -> Data:
    """Blank pictures of one class."""
    return Data(Pictures(torch.zeros(count, 1, 8, 8, dtype=torch.uint8), torch.full((count,), number)), **more)
