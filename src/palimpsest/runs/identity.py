"""What a checkpoint must share with a run to belong to it."""

import json
from collections.abc import Mapping

from palimpsest.runs.assembly import Assembly
from palimpsest.runs.deciding import precisions


def identity(assembly: Assembly) -> dict:
    """All that decides the numbers of a run, ready for JSON."""
    experiment, stream = assembly.experiment, assembly.stream
    aside = {"engine", "about", "deliver", "strategy", "seeds", "published"}
    tables = json.loads(experiment.model_dump_json(exclude=aside))
    own = experiment.strategy.name
    strategy = {"name": own, "passed_in": experiment.strategy.passed_in, **experiment.all_options_of(own)}
    strategy["beside"] = {course.name: experiment.options_of(course.name) for course in assembly.plan.courses[:-1]}
    pictures = {str(task.number): [list(task.classes), len(task.train), len(task.test)] for task in stream.tasks}
    if (mixing := assembly.plan.courses[-1].mixing) is not None and mixing.digest:
        pictures["synthetic"] = mixing.digest
    return tables | {"strategy": strategy, "engine": precisions(experiment), "pictures": pictures}


def difference(before: Mapping, after: Mapping, place: str = "") -> str:
    """The dotted key of the first thing that differs."""
    for key in before.keys() | after.keys():
        one, other = before.get(key), after.get(key)
        if one != other:
            both = isinstance(one, Mapping) and isinstance(other, Mapping)
            return difference(one, other, f"{place}{key}.") if both else f"{place}{key}"
    return place
