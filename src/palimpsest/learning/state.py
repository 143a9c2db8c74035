"""A run's progress as numbers and tensors, and back: what a checkpoint holds."""

import copy
from collections.abc import Iterable
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn

from palimpsest.learning.past import Past, Teacher
from palimpsest.learning.progress import Cost, Progress
from palimpsest.learning.work import below
from palimpsest.sources import Memory
from palimpsest.streams.pictures import Pictures

PLACE = ("task", "phase", "step", "trained", "task_seconds")


def numbers_of(progress: Progress) -> dict:
    """The place and the cost, ready for JSON."""
    return {name: getattr(progress, name) for name in PLACE} | {
        "cost": asdict(progress.cost),
        "beside_cost": asdict(progress.beside_cost),
        "finished": [name for name, _ in progress.finished],
        "past": {"count": progress.past.count, "classes": list(progress.past.classes)},
    }


def tensors_of(progress: Progress) -> dict[str, Tensor]:
    """All weights, optimizer states and remembered pictures, by name."""
    parts = {f"learner.{name}": learner.state_dict() for name, learner in progress.learners.items()}
    parts |= {f"averaged.{name}": learner.state_dict() for name, learner in progress.averaged.items()}
    parts |= {f"teacher.{name}": teacher.learner.state_dict() for name, teacher in progress.past.teachers.items()}
    parts |= {f"finished.{i}": t.learner.state_dict() for i, (_, t) in enumerate(progress.finished) if t.exists}
    parts |= {f"carried.{name}": state for name, state in progress.carried.items()}
    parts |= {f"memory.{i}": as_tensors(task) for i, task in enumerate(progress.past.remembered.tasks)}
    if progress.work:
        parts |= {"work": progress.work.state(), "meter": progress.meter.state()}
    return {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}


def restore(progress: Progress, numbers: dict, tensors: dict[str, Tensor]) -> None:
    """Set a new run's progress to where a checkpoint left off."""
    for name in PLACE:
        setattr(progress, name, numbers[name])
    progress.cost, progress.beside_cost = Cost(**numbers["cost"]), Cost(**numbers["beside_cost"])
    for name, learner in progress.learners.items():
        learner.load_state_dict(below(tensors, f"learner.{name}."))

    def network(name: str, prefix: str) -> nn.Module:
        learner = copy.deepcopy(progress.learners[name])
        learner.load_state_dict(below(tensors, prefix))
        return learner.eval().requires_grad_(False)

    progress.averaged = {name: network(name, f"averaged.{name}.") for name in parts_of(tensors, "averaged.")}
    left = {int(place): f"finished.{place}." for place in parts_of(tensors, "finished.")}
    progress.finished = [
        (name, Teacher(network(name, left[place]) if place in left else None))
        for place, name in enumerate(numbers["finished"])
    ]
    progress.carried = {name: below(tensors, f"carried.{name}.") for name in parts_of(tensors, "carried.")}
    teachers = {name: Teacher(network(name, f"teacher.{name}.")) for name in parts_of(tensors, "teacher.")}
    device = progress.machine.device
    progress.past = restored_past(progress.past, numbers["past"], teachers, tensors, device)
    progress.pending = {name: tensor for name, tensor in tensors.items() if name.startswith(("work.", "meter."))}


def restored_past(
    past: Past, numbers: dict, teachers: dict[str, Teacher], tensors: dict[str, Tensor], device: torch.device
) -> Past:
    """The past of a checkpoint; pictures that were kept whole come from the stream again, see `continual`."""
    tasks = sorted(parts_of(tensors, "memory."), key=int)
    kept = tuple(as_pictures(below(tensors, f"memory.{i}.")).to(device) for i in tasks)
    memory = Memory(kept, past.remembered.flip)
    count, classes = numbers["count"], tuple(numbers["classes"])
    return replace(past, count=count, classes=classes, teachers=teachers, remembered=memory)


def parts_of(tensors: Iterable[str], prefix: str) -> list[str]:
    """The names that follow `prefix`, up to the next dot."""
    return sorted({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})


def as_tensors(pictures: Pictures) -> dict[str, Tensor]:
    """Remembered pictures, for a checkpoint."""
    return {"pixels": pictures.pixels, "labels": pictures.labels, "white": torch.tensor(pictures.white)}


def as_pictures(tensors: dict[str, Tensor]) -> Pictures:
    """Remembered pictures, from a checkpoint."""
    return Pictures(tensors["pixels"], tensors["labels"], int(tensors["white"]))
