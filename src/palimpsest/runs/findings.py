"""What a run has found out, as results.json holds it."""

from collections.abc import Sequence

from palimpsest.evaluation.forgetting import mean, summaries
from palimpsest.measuring.found import Found
from palimpsest.measuring.measurer import Measurer
from palimpsest.runs.assembly import Assembly
from palimpsest.streams.stream import Stream, Task


def task_entry(task: Task, found: Found, replayed: list[dict], seconds: float, seen: dict[str, int]) -> dict:
    """A task's place among the results. seen: steps, and rows of training data in them."""
    entry = {
        "number": task.number,
        "classes": list(task.classes),
        "measures": found.measures,
        "seconds": round(seconds, 3),
        **({"seen": seen} if seen else {}),
        **found.groups,
        **found.facts,
    }
    return entry | ({"replay": replayed} if replayed else {})


def summarised(tasks: Sequence[dict], stream: Stream) -> dict[str, float]:
    """What the accuracies after all tasks come to; nothing without a classifier, or where rounds follow the tasks."""
    if stream.has_rounds:
        return {}
    found = summaries(accuracy_matrix(tasks), [len(task.test) for task in stream])
    for name in ("accuracy_softmax", "accuracy_nearest_mean"):
        values = [task["measures"].get(name) for task in tasks]
        if found and None not in values:
            found[f"average_incremental_{name}"] = mean(values)
    return found


def accuracy_matrix(tasks: Sequence[dict]) -> list[list[float]]:
    """Rows: after each task; columns: accuracy on the test pictures of each task so far. Empty without a classifier.

    A round in which nothing arrives is no task, and has no row.
    """
    rows = [[part.get("accuracy") for part in task.get("per_task", [])] for task in tasks if task["classes"]]
    return rows if all(row and None not in row for row in rows) else []


def measured(stream: Stream, measurer: Measurer, tasks: Sequence[dict], finished: bool) -> dict:
    """What was measured, how, and against what."""
    yardstick = measurer.yardstick
    return {
        "class_names": list(stream.class_names),
        "tasks": list(tasks),
        "task_count": len(stream),
        "accuracy_matrix": accuracy_matrix(tasks),
        "final": tasks[-1]["measures"] if finished else {},
        "extractor": yardstick.extractor.record if yardstick.extractor else {},
        "evaluator": yardstick.evaluator.record if yardstick.evaluator else {},
        "samplers": measurer.samplers_in_words,
        "counts": {"samples": yardstick.options.samples, "reference": [task.get("reference", 0) for task in tasks]},
    }


def beside(assembly: Assembly) -> list[str]:
    """The strategies whose options decide a run beside its own: one that it is added to, and the classifier's."""
    *others, own = (course.name for course in assembly.plan.courses)
    return [name for name in (assembly.experiment.added_to(own), *others) if name not in ("", own)]


def results_of(assembly: Assembly, measurer: Measurer, tasks: list[dict], finished: bool) -> dict:
    """Everything in results.json."""
    experiment, progress = assembly.experiment, assembly.progress
    results = {
        "experiment": experiment.name,
        "stream": assembly.stream.name,
        "strategy": experiment.strategy.name,
        "options": experiment.options,
        "options_beside": {name: experiment.options_of(name) for name in beside(assembly)},
        "seed": experiment.seed,
        "finished": finished,
        "allowed_to_remember": list(assembly.remembers),
        "cost": progress.cost.whole,
    }
    if progress.beside:
        results["cost"]["classifier"] = progress.beside_cost.whole
        results["classifier_remembers"] = sorted(assembly.plan.courses[0].keeps)
    if (mixing := assembly.plan.courses[-1].mixing) and mixing.seconds:
        results["cost"]["synthetic_seconds"] = mixing.seconds
    return results | measured(assembly.stream, measurer, tasks, finished)
