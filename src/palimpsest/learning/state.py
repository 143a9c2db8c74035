"""A run's progress as numbers and tensors, and back: what a checkpoint holds."""

import copy
from collections.abc import Iterable
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn

from palimpsest.learning.past import Past
from palimpsest.learning.progress import Cost, Progress
from palimpsest.learning.teacher import Teacher
from palimpsest.learning.work import below
from palimpsest.streams.pictures import Pictures
from palimpsest.targets.weights import KINDS, importance_of

FORM = 1  # of what a checkpoint holds; it goes up when a checkpoint of the form before cannot be gone on with
PLACE = ("task", "phase", "step", "trained", "seen", "task_seconds")


def numbers_of(progress: Progress) -> dict:
    """The place and the cost, ready for JSON."""
    return {name: getattr(progress, name) for name in PLACE} | {
        "form": FORM,
        "cost": asdict(progress.cost),
        "beside_cost": asdict(progress.beside_cost),
        "finished": [name for name, _ in progress.finished],
        "hand": progress.hand,
        "past": {"count": progress.past.count, "classes": list(progress.past.classes)},
    }


def tensors_of(progress: Progress) -> dict[str, Tensor]:
    """All weights, optimizer states and remembered pictures, by name."""
    parts = {f"learner.{name}": learner.state_dict() for name, learner in progress.learners.items()}
    parts |= {f"averaged.{name}": learner.state_dict() for name, learner in progress.averaged.items()}
    for name, teacher in progress.past.teachers.items():
        parts |= weights_of(teacher, f"teacher.{name}")
    for number, (_, teacher) in enumerate(progress.finished):
        parts |= weights_of(teacher, f"finished.{number}")
    parts |= {f"carried.{name}": state for name, state in progress.carried.items()}
    parts |= {f"pool.{name}": kept.state() for name, kept in progress.pools.items()}
    for number, each in enumerate(progress.past.importances):
        parts[f"importance {each.kind}.{number}"] = each.state()
    memory = progress.past.remembered
    parts |= {f"memory.{i}": as_tensors(group) for i, group in enumerate(memory.groups)}
    parts |= {f"lots.{i}": {"drawn": drawn} for i, drawn in enumerate(memory.lots)}
    if progress.work:
        parts |= {"work": progress.work.state(), "meter": progress.meter.state()}
    parts |= {f"updates.{name}": {"count": torch.tensor(count)} for name, count in updates_of(progress).items()}
    return {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}


def updates_of(progress: Progress) -> dict[str, int]:
    """How many updates each average has behind it, by the name of the part of a checkpoint that holds it."""
    teachers = {f"teacher.{name} averaged": teacher for name, teacher in progress.past.teachers.items()}
    teachers |= {f"finished.{number} averaged": teacher for number, (_, teacher) in enumerate(progress.finished)}
    averages = {f"averaged.{name}": learner for name, learner in progress.averaged.items()}
    averages |= {name: teacher.averaged for name, teacher in teachers.items() if teacher.averaged is not None}
    return {name: network.updates for name, network in averages.items() if hasattr(network, "updates")}


def weights_of(teacher: Teacher, name: str) -> dict[str, dict[str, Tensor]]:
    """Both weights of a teacher, as far as there are any."""
    both = {name: teacher.learner, f"{name} averaged": teacher.averaged}
    return {part: network.state_dict() for part, network in both.items() if network is not None}


def restore(progress: Progress, numbers: dict, tensors: dict[str, Tensor]) -> None:
    """Set a new run's progress to where a checkpoint left off."""
    for name in PLACE:
        setattr(progress, name, numbers[name])
    progress.hand = numbers.get("hand", {})
    progress.cost, progress.beside_cost = Cost(**numbers["cost"]), Cost(**numbers["beside_cost"])
    for name, learner in progress.learners.items():
        learner.load_state_dict(below(tensors, f"learner.{name}."))

    def network(name: str, prefix: str) -> nn.Module:
        learner = copy.deepcopy(progress.learners[name])
        learner.load_state_dict(below(tensors, prefix))
        if f"updates.{prefix}count" in tensors:
            learner.updates = int(tensors[f"updates.{prefix}count"])
        return learner.eval().requires_grad_(False)

    progress.averaged = {name: network(name, f"averaged.{name}.") for name in parts_of(tensors, "averaged.")}

    def teacher(name: str, prefix: str) -> Teacher:
        both = (f"{prefix}.", f"{prefix} averaged.")
        return Teacher(*(network(name, each) if below(tensors, each) else None for each in both))

    progress.finished = [(name, teacher(name, f"finished.{place}")) for place, name in enumerate(numbers["finished"])]
    progress.carried = {name: below(tensors, f"carried.{name}.") for name in parts_of(tensors, "carried.")}
    names = (name for name in parts_of(tensors, "teacher.") if not name.endswith(" averaged"))
    teachers = {name: teacher(name, f"teacher.{name}") for name in names}
    device = progress.machine.device
    weights = (
        dict(progress.learners[progress.past.learner].named_parameters()) if progress.past.importance_is_kept else {}
    )
    progress.past = restored_past(progress.past, numbers["past"], teachers, tensors, weights, device)
    progress.pending = {
        name: tensor for name, tensor in tensors.items() if name.startswith(("work.", "meter.", "pool."))
    }


def restored_past(
    past: Past,
    numbers: dict,
    teachers: dict[str, Teacher],
    tensors: dict[str, Tensor],
    weights: dict[str, Tensor],
    device: torch.device,
) -> Past:
    """The past of a checkpoint; pictures that were kept whole come from the stream again, see `continual`.

    weights: of the learner whose weights' importance is known, by name.
    """
    groups = sorted(parts_of(tensors, "memory."), key=int)
    kept = tuple(as_pictures(below(tensors, f"memory.{i}.")).to(device) for i in groups)
    lots = tuple(tensors[f"lots.{i}.drawn"] for i in sorted(parts_of(tensors, "lots."), key=int))
    memory = replace(past.remembered, groups=kept, lots=lots)
    importances = [
        importance_of(kind, below(tensors, f"importance {kind}.{number}."), weights)
        for kind in KINDS
        for number in sorted(parts_of(tensors, f"importance {kind}."), key=int)
    ]
    count, classes = numbers["count"], tuple(numbers["classes"])
    return replace(
        past, count=count, classes=classes, teachers=teachers, remembered=memory, importances=tuple(importances)
    )


def parts_of(tensors: Iterable[str], prefix: str) -> list[str]:
    """The names that follow `prefix`, up to the next dot."""
    return sorted({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})


def as_tensors(pictures: Pictures) -> dict[str, Tensor]:
    """Remembered pictures, for a checkpoint."""
    return {"pixels": pictures.pixels, "labels": pictures.labels, "white": torch.tensor(pictures.white)}


def as_pictures(tensors: dict[str, Tensor]) -> Pictures:
    """Remembered pictures, from a checkpoint."""
    return Pictures(tensors["pixels"], tensors["labels"], int(tensors["white"]))
