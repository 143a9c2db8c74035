"""A stream: tasks that arrive one after another, each with its own classes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from palimpsest.core.errors import RequestError, shown
from palimpsest.streams.convert import as_class, pictures_of
from palimpsest.streams.pictures import Pictures, together


@dataclass(frozen=True)
class Task:
    """What arrives at once. number: from 1.  classes: original class numbers.  train, test: pictures of them.

    A task without classes and pictures is a round in which nothing arrives.

    labelled: rows of the training pictures whose label a learner may know, int64; None: all of them.
    """

    number: int
    classes: tuple[int, ...]
    train: Pictures
    test: Pictures
    labelled: torch.Tensor | None = None

    @property
    def told(self) -> Pictures:
        """The training pictures that a learner gets with their labels."""
        return self.train if self.labelled is None else self.train.subset(self.labelled)


@dataclass(frozen=True)
class Stream:
    """Tasks in order, and the pictures of all of them.

    class_names: by original class number.  train, test: pictures of all tasks.
    before: classes that were learnt before the first task.
    held_back: training pictures that no task has.
    skipped: bad pictures that were left out on request, so that a run can say so.
    """

    name: str
    class_names: tuple[str, ...]
    tasks: tuple[Task, ...]
    train: Pictures
    test: Pictures
    skipped: int = 0
    before: tuple[int, ...] = ()
    held_back: Pictures | None = None

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture."""
        return self.train.shape

    def to(self, device: torch.device | str) -> "Stream":
        """This stream with its resident pictures on another device, each stored once."""
        moved: dict[int, torch.Tensor] = {}
        train, test = self.train.to(device, moved), self.test.to(device, moved)
        tasks = tuple(
            replace(task, train=task.train.to(device, moved), test=task.test.to(device, moved)) for task in self.tasks
        )
        held_back = self.held_back and self.held_back.to(device, moved)
        return replace(self, tasks=tasks, train=train, test=test, held_back=held_back)

    def renumbered(self, numbers: Sequence[int], class_names: Sequence[str], before: tuple[int, ...]) -> "Stream":
        """The stream with other class numbers: `numbers` holds the new one of each old one."""
        table = torch.tensor(list(numbers))
        tasks = tuple(
            replace(
                task,
                classes=tuple(numbers[label] for label in task.classes),
                train=task.train.renumbered(table),
                test=task.test.renumbered(table),
            )
            for task in self.tasks
        )
        train, test = self.train.renumbered(table), self.test.renumbered(table)
        held_back = self.held_back and self.held_back.renumbered(table)
        return replace(
            self,
            tasks=tasks,
            train=train,
            test=test,
            class_names=tuple(class_names),
            before=before,
            held_back=held_back,
        )

    @property
    def recurs(self) -> bool:
        """Whether a class comes in more than one task."""
        classes = [label for task in self.tasks for label in task.classes]
        return len(classes) > len(set(classes))

    @property
    def has_rounds(self) -> bool:
        """Whether there are tasks in which nothing arrives."""
        return not all(task.classes for task in self.tasks)

    def with_rounds(self, count: int) -> "Stream":
        """The stream with so many tasks more, in which nothing arrives."""
        nothing = torch.zeros(0, dtype=torch.int64)
        train, test = self.train.subset(nothing), self.test.subset(nothing)
        numbers = range(len(self) + 1, len(self) + 1 + count)
        return replace(self, tasks=self.tasks + tuple(Task(number, (), train, test) for number in numbers))

    def learnt(self, number: int) -> tuple[int, ...]:
        """The classes that are learnt by the end of a task, those before the first one included."""
        return tuple(dict.fromkeys(self.before + self.seen(number)))

    def seen(self, number: int) -> tuple[int, ...]:
        """The classes of tasks 1 to `number`, in the order in which they arrived."""
        return tuple(dict.fromkeys(label for task in self.tasks[:number] for label in task.classes))


def split_by_class(
    train: Pictures, test: Pictures, groups: Sequence[Sequence[int]], *, name: str, class_names: Sequence[str]
) -> Stream:
    """A class-incremental stream: task i holds the pictures of the classes in groups[i − 1].

    Raises RequestError for a class that is unknown, listed twice, or has no training picture, and for an empty group.
    """
    check_groups(train, groups, class_names)
    tasks = tuple(
        Task(number, tuple(group), train.of_classes(group), test.of_classes(group))
        for number, group in enumerate(groups, start=1)
    )
    used = [label for group in groups for label in group]
    return Stream(name, tuple(class_names), tasks, train.of_classes(used), test.of_classes(used))


def check_groups(train: Pictures, groups: Sequence[Sequence[int]], class_names: Sequence[str]) -> None:
    """Refuse class lists that no stream can be made of, naming the class."""
    counts = torch.bincount(train.labels.cpu(), minlength=len(class_names)).tolist()
    task_of: dict[int, int] = {}
    if not groups:
        raise RequestError("a stream of no tasks was asked for; give stream.tasks at least one list of classes.")
    for number, group in enumerate(groups, start=1):
        if not group:
            raise RequestError(f"task {number} has no classes; give it at least one, or leave it out of stream.tasks.")
        for label in group:
            if not 0 <= label < len(class_names):
                raise RequestError(
                    f"task {number} asks for class {label}, which is unknown; legal: 0 to {len(class_names) - 1}."
                )
            if label in task_of:
                raise RequestError(
                    f'class {label} ("{class_names[label]}") is listed twice, in tasks {task_of[label]} and {number}; '
                    "a class belongs to one task."
                )
            task_of[label] = number
            if not counts[label]:
                raise RequestError(
                    f'class {label} ("{class_names[label]}") of task {number} has no training picture; give it some, '
                    "leave it out with --set stream.tasks=[[...], ...], or raise stream.limit."
                )


def from_tasks(iterable: Iterable[Any], name: str = "python") -> Stream:
    """A third party's stream: objects with `classes`, `train` and `test`, in the order in which they arrive; a `Stream` as it is.

    train, test: `Pictures`, or anything indexable or iterable that gives (image, label, ...), with images as PIL
    pictures, uint8 numpy (H, W) or (H, W, C), uint8 torch (H, W) or (C, H, W), or float (C, H, W) in [0, 1]; or two arrays
    (images, labels), whose rows are such. They are held in memory. A class may come again in a later task.
    Raises RequestError for mixed shapes, a class without a training picture, a label outside its task's classes, and for what
    is none of these.
    """
    if isinstance(iterable, Stream):
        return iterable
    trains: list[Pictures] = []
    tests: list[Pictures] = []
    classes: list[tuple[int, ...]] = []
    if not isinstance(iterable, Iterable):
        raise RequestError(
            f"a stream gives tasks one after another, and this one is {shown(iterable)}; give a list of tasks."
        )
    for number, task in enumerate(iterable, start=1):
        if missing := [name for name in ("classes", "train", "test") if not hasattr(task, name)]:
            raise RequestError(
                f"task {number} of the stream is {shown(task)}, which has no {', '.join(missing)}; give objects with classes, "
                "train and test."
            )
        shape = trains[0].shape if trains else None
        trains.append(pictures_of(task.train, f"task {number}'s training data", shape))
        tests.append(pictures_of(task.test, f"task {number}'s test data", trains[0].shape))
        classes.append(classes_of(task, number))
        check_labels(number, classes[-1], trains[-1], tests[-1])
    if not trains:
        raise RequestError(f'the stream "{name}" gave no task; give it objects with classes, train and test.')
    train, test = together(trains), together(tests)
    parts = zip(classes, cut(train, trains), cut(test, tests), strict=True)
    tasks = tuple(Task(number, *part) for number, part in enumerate(parts, start=1))
    names = tuple(str(label) for label in range(1 + max(label for group in classes for label in group)))
    return Stream(name, names, tasks, train, test)


def classes_of(task: Any, number: int) -> tuple[int, ...]:
    """The class numbers that a third party's task lists."""
    if not isinstance(task.classes, Iterable):
        raise RequestError(f"the classes of task {number} are {shown(task.classes)}; list its class numbers.")
    return tuple(as_class(label, f"a class of task {number}") for label in task.classes)


def cut(whole: Pictures, parts: Sequence[Pictures]) -> list[Pictures]:
    """The parts again, as views of the whole, so that nothing is held twice."""
    return [whole.subset(rows) for rows in torch.arange(len(whole)).split([len(part) for part in parts])]


def check_labels(number: int, classes: Sequence[int], train: Pictures, test: Pictures) -> None:
    """Refuse pictures whose label is not a class of their task."""
    there = set(train.labels.tolist())
    for label in classes:
        if label not in there:
            raise RequestError(f"task {number} lists class {label}, and has no training picture of it; give it some.")
    for label in sorted((there | set(test.labels.tolist())) - set(classes)):
        raise RequestError(
            f"task {number} has pictures of class {label}, and lists the classes {', '.join(map(str, classes)) or 'none'}; "
            "list every class that it has pictures of."
        )
