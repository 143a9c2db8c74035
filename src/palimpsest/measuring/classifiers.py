"""The measures of what predicts classes, after a task."""

from collections.abc import Sequence

import torch
from torch import nn

from palimpsest.evaluation.accuracy import predict, together
from palimpsest.measuring.found import Found
from palimpsest.measuring.yardstick import Yardstick
from palimpsest.streams.pictures import joined
from palimpsest.streams.stream import Task


def measure_classifiers(
    found: Found, task: Task, classifiers: Sequence[nn.Module], yardstick: Yardstick, device: torch.device
) -> None:
    """Accuracy on the test pictures of the tasks seen so far: of all, of old and new classes, of each task, of each class.

    classifiers: the strategy's own way to predict, and others of the same classifier, of which all together is enough.
    """
    tasks = yardstick.seen(task)
    said = [predict(classifiers[0].logits, earlier.test, device) for earlier in tasks]
    whole = together(said)
    found.measures |= named(whole.accuracy())
    if len(tasks) > 1 and tasks[-1] is task:
        old = set(yardstick.stream.seen(task.number)) - set(task.classes)
        found.measures |= named(whole.accuracy(sorted(old)), "accuracy_old")
        found.measures |= named(whole.accuracy(task.classes), "accuracy_new")
    found.add_group("per_task", [{"task": t.number} | named(p.accuracy()) for t, p in zip(tasks, said, strict=True)])
    classes = sorted(yardstick.stream.seen(task.number))
    found.add_group("per_class", [{"class": c} | named(whole.accuracy([c])) for c in classes])
    if len(classifiers) > 1:
        test = joined([earlier.test for earlier in tasks])
        others = [predict(other.logits, test, device) for other in classifiers[1:]]
        for each, predicted in zip(classifiers, [whole, *others], strict=True):
            found.measures |= named(predicted.accuracy(), f"accuracy_{each.predicts}")


def named(accuracy: float | None, name: str = "accuracy") -> dict[str, float]:
    """An accuracy by its name; nothing where there is none."""
    return {} if accuracy is None else {name: accuracy}
