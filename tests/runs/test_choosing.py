"""What is said for one run goes before what its experiment says, also where the two say it in different options."""

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.runs.config import resolve
from palimpsest.runs.tables import read_experiment
from tests.tiny import tiny

INCREMENTAL = "digits_incremental"  # five pictures of each class


def sizes(tables, strategy, options=None, settings=None):
    found = resolve(tables, strategy, options, settings).options
    return found["memory_size"], found["per_class"]


@pytest.mark.parametrize("strategy", ["icarl", "lucir", "experience_replay"])
def test_a_memory_of_so_many_in_all_replaces_the_experiment_s_of_each_class(strategy):
    tables = read_experiment(INCREMENTAL)
    assert sizes(tables, strategy) == (0, 5)
    assert sizes(tables, strategy, {"memory_size": 60}) == (60, 0)
    assert sizes(tables, strategy, None, {f"strategy.{strategy}.memory_size": 60}) == (60, 0)
    assert sizes(tables, strategy, {"memory_size": 0}) == (0, 5), "0 is no size"


def test_a_memory_of_each_class_replaces_one_of_so_many_in_all():
    tables = tiny(learner="classifier", strategy={"icarl": {"memory_size": 60}})
    assert sizes(tables, "icarl") == (60, 0)
    assert sizes(tables, "icarl", {"per_class": 3}) == (0, 3)
    assert sizes(tables, "icarl", None, {"strategy.icarl.per_class": 3}) == (0, 3)
    assert sizes(tables, "icarl", {"per_class": 0}) == (60, 0)


def test_two_sizes_of_one_memory_are_refused():
    wrong = "the memory of icarl was given two sizes, memory_size = 60 and per_class = 3; give memory_size"
    for options, settings in (
        ({"memory_size": 60, "per_class": 3}, None),
        ({"memory_size": 60}, {"strategy.icarl.per_class": 3}),
        (None, {"strategy.icarl.memory_size": 60, "strategy.icarl.per_class": 3}),
    ):
        with pytest.raises(RequestError, match=wrong):
            sizes(read_experiment(INCREMENTAL), "icarl", options, settings)
    assert sizes(read_experiment(INCREMENTAL), "icarl", {"memory_size": 60, "per_class": 0}) == (60, 0)
