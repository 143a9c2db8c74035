"""What a checkpoint must share with a run to belong to it."""

from collections.abc import Mapping

from palimpsest.runs.assembly import Assembly
from palimpsest.runs.config import Experiment, as_json, default_tables
from palimpsest.runs.deciding import precisions
from palimpsest.strategies.catalog import look_up, names

ASIDE = {"engine", "about", "deliver", "strategy", "seeds", "published"}


def identity(assembly: Assembly) -> dict:
    """All that decides the numbers of a run, ready for JSON."""
    experiment, stream = assembly.experiment, assembly.stream
    tables = as_json(experiment, ASIDE)
    own = experiment.strategy.name
    strategy = {"name": own, "passed_in": experiment.strategy.passed_in, **experiment.all_options_of(own)}
    strategy["beside"] = {course.name: experiment.options_of(course.name) for course in assembly.plan.courses[:-1]}
    pictures = {str(task.number): [list(task.classes), len(task.train), len(task.test)] for task in stream.tasks}
    if (mixing := assembly.plan.courses[-1].mixing) is not None and mixing.digest:
        pictures["synthetic"] = mixing.digest
    return tables | {"strategy": strategy, "engine": precisions(experiment), "pictures": pictures}


def completed(before: Mapping, experiment: Experiment) -> dict:
    """What an older checkpoint shared with its run, and the options that came later, at their defaults.

    An option's default is what was done before there was that option.
    """
    defaults = {name: table for name, table in default_tables().items() if name not in ASIDE}
    own = experiment.strategy.name
    if before["strategy"]["name"] == own and not experiment.strategy.passed_in:
        others = {name: defaults_of(name) for name in before["strategy"]["beside"] if name in names()}
        defaults["strategy"] = defaults_of(experiment.added_to(own)) | defaults_of(own) | {"beside": others}
    return filled(before, defaults)


def defaults_of(strategy: str) -> dict:
    """The options of a strategy as its signature has them; none of ""."""
    return {option.name: option.default for option in look_up(strategy).options} if strategy else {}


def filled(tables: Mapping, defaults: Mapping) -> dict:
    """The tables, with what they lack from others."""
    inner = (name for name in defaults.keys() & tables.keys() if isinstance(tables[name], Mapping))
    both = {name: filled(tables[name], defaults[name]) for name in inner if isinstance(defaults[name], Mapping)}
    return {**defaults, **tables, **both}


def difference(before: Mapping, after: Mapping, place: str = "") -> str:
    """The dotted key of the first thing that differs."""
    for key in before.keys() | after.keys():
        one, other = before.get(key), after.get(key)
        if one != other:
            both = isinstance(one, Mapping) and isinstance(other, Mapping)
            return difference(one, other, f"{place}{key}.") if both else f"{place}{key}"
    return place
