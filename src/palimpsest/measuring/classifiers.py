"""The measures of what predicts classes, after a task."""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from palimpsest.evaluation.accuracy import predict, together
from palimpsest.measuring.found import Found
from palimpsest.measuring.yardstick import Yardstick
from palimpsest.streams.stream import Task


def measure_classifiers(
    found: Found, task: Task, classifiers: Sequence[nn.Module], yardstick: Yardstick, device: torch.device
) -> None:
    """Accuracy on the test pictures of the tasks seen so far: of all, of old and new classes, of each task, of each class.

    classifiers: the strategy's own way to predict, and others of the same classifier, of which all together is enough.
    """
    tasks = yardstick.seen(task)
    said = [predict(partial(logits_of, classifiers), earlier.test, device) for earlier in tasks]
    own, *others = zip(*said, strict=True)
    whole = together(own)
    found.measures |= named(whole.accuracy())
    if len(tasks) > 1 and tasks[-1] is task:
        old = set(yardstick.stream.seen(task.number)) - set(task.classes)
        found.measures |= named(whole.accuracy(sorted(old)), "accuracy_old")
        found.measures |= named(whole.accuracy(task.classes), "accuracy_new")
    found.add_group("per_task", [{"task": t.number} | named(p.accuracy()) for t, p in zip(tasks, own, strict=True)])
    classes = sorted(yardstick.stream.seen(task.number))
    found.add_group("per_class", [{"class": c} | named(whole.accuracy([c])) for c in classes])
    if others:
        for each, predicted in zip(classifiers, [whole, *map(together, others)], strict=True):
            found.measures |= named(predicted.accuracy(), f"accuracy_{each.predicts}")


def logits_of(classifiers: Sequence[nn.Module], x: Tensor) -> Iterator[Tensor]:
    """What each of them says about pictures, (B, classes); several ways to predict by one network look once."""
    if len(classifiers) == 1:
        yield classifiers[0].logits(x)
        return
    seen: dict[nn.Module, Tensor] = {}
    for each in classifiers:
        network = getattr(each, "classifier", each)
        if network not in seen:
            seen[network] = network.features(x)
        yield each.judge(seen[network])


def named(accuracy: float | None, name: str = "accuracy") -> dict[str, float]:
    """An accuracy by its name; nothing where there is none."""
    return {} if accuracy is None else {name: accuracy}
