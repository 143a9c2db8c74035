"""Asking a learner in training as it will be asked when it has learnt."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(learner: nn.Module) -> Iterator[None]:
    """The learner in evaluation mode: nothing is dropped out, and statistics of batches stay as they are."""
    training = learner.training
    learner.eval()
    try:
        yield
    finally:
        learner.train(training)
