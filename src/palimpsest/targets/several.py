"""What a learner with several heads is to say, all of it."""

from dataclasses import dataclass

from torch import nn

from palimpsest.core.term import Target


@dataclass(frozen=True)
class Several:
    """Targets of one learner, each with what it counts: a term over them is taken apart into a term of each."""

    parts: tuple[tuple[Target, float], ...]

    @property
    def name(self) -> str:
        return " and ".join(target.name for target, _ in self.parts)

    @property
    def exists(self) -> bool:
        """Whether all of them do."""
        return all(target.exists for target, _ in self.parts)

    @property
    def needs(self) -> frozenset[str]:
        """What any of them needs of a source."""
        return frozenset().union(*(target.needs for target, _ in self.parts))


def both_of(learner: nn.Module, noise: Target, opinion: Target) -> Several | None:
    """What a learner that imagines and classifies is to say with both heads, the class weighed as it says; None of another learner."""
    if not {"noise", "logits"} <= set(learner.heads):
        return None
    return Several(((noise, 1.0), (opinion, learner.class_weight)))
