"""What a measurement has found out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image


@dataclass
class Found:
    """What was found out after a task.

    measures: by name.  groups: numbers of each task and of each class seen, by name ("per_task", "per_class_long").
    facts: whatever else stands in the task's place in results.json.  pictures: to be saved, by the end of their name.
    """

    measures: dict[str, float] = field(default_factory=dict)
    groups: dict[str, list[dict]] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    pictures: dict[str, Image.Image] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add_group(self, name: str, numbers: list[dict]) -> None:
        """More numbers of the same tasks or classes."""
        known = self.groups.setdefault(name, [{} for _ in numbers])
        self.groups[name] = [old | new for old, new in zip(known, numbers, strict=True)]

    def add_errors(self, levels: Sequence[int], errors: Mapping[int, Sequence[float]]) -> None:
        """Denoising errors by task, 0 being a given model; each a number a noise level."""
        if errors:
            known = self.facts.setdefault("denoising_error", {"levels": levels, "tasks": [], "errors": []})
            known["tasks"] += errors.keys()
            known["errors"] += errors.values()
