"""Outcome: the published order of classifiers comes out on the embedded digits, class by class, over three seeds.

Average incremental accuracy: joint > LUCIR, iCaRL > experience replay > finetune by the strategies' own predictors, and joint > LUCIR >
iCaRL > experience replay > finetune by the last layer of each. SDDR's claim with an ideal source: LUCIR with it > LUCIR, also with the
memory drawn as often; both losses together at least as good as either alone, the most with the fewest remembered pictures; with
useless pictures no better than without. With an ideal source iCaRL, experience replay and learning without forgetting are better, too.
Settings were chosen on seeds 100 to 102.
"""

from statistics import mean

import pytest

import palimpsest
from tests.tiny import QUIET

pytestmark = pytest.mark.slow
SEEDS = (0, 1, 2)
AVERAGE = "average_incremental_accuracy"
ORDER = ("joint", "lucir", "icarl", "experience_replay", "finetune")
REMEMBERS = ("lucir", "icarl", "experience_replay")


@pytest.fixture(scope="module")
def final(tmp_path_factory):
    """The final measures of a strategy's runs, one a seed; no run is made twice."""
    place, known = tmp_path_factory.mktemp("runs"), {}

    def measured(strategy, per_class=5, **synthetic):
        options = {"per_class": per_class} if strategy in REMEMBERS else {}
        settings = {f"synthetic.{name}": value for name, value in synthetic.items()}
        key = "-".join(map(str, (strategy, *options.values(), *synthetic.values())))
        for seed in () if key in known else SEEDS:
            out = place / f"{key}-{seed}"
            run = palimpsest.train(
                "digits_incremental", strategy=strategy, seed=seed, set=settings, out=out, display=QUIET, **options
            )
            known.setdefault(key, []).append(run.results["final"])
        return known[key]

    return measured


@pytest.fixture(scope="module")
def average(final):
    """Mean over seeds of the average incremental accuracy."""
    return lambda *which, **synthetic: mean(each[AVERAGE] for each in final(*which, **synthetic))


def test_what_remembers_and_distils_is_between_joint_and_replay(average):
    found = {name: average(name) for name in ORDER}
    print(found)
    both = found["lucir"], found["icarl"]
    assert found["joint"] > max(both) and min(both) > found["experience_replay"] > found["finetune"]


def test_the_published_order_comes_out_by_the_last_layer(final):
    """Where nothing is remembered there is no other predictor, and the accuracy is that of the last layer."""
    found = {name: mean(each.get(f"{AVERAGE}_softmax", each[AVERAGE]) for each in final(name)) for name in ORDER}
    print(found)
    assert sorted(ORDER, key=found.get, reverse=True) == list(ORDER)


@pytest.mark.xfail(
    strict=True,
    reason="the mean of five pictures classifies 8×8 digits better than any last layer, and iCaRL goes by it (docs/results.md)",
)
def test_lucir_is_ahead_of_icarl_with_its_nearest_mean(average):
    assert average("lucir") > average("icarl")


def test_pictures_help_as_far_as_they_are_like_those_that_are_gone(average):
    plain = {count: average("lucir", count) for count in (1, 5, 10, 20)}
    ideal = {count: average("lucir", count, source="ideal") for count in plain}
    gains = [ideal[count] - plain[count] for count in plain]
    print(plain, ideal)
    assert min(gains[:3]) > 0 and gains[0] == max(gains)


@pytest.mark.parametrize(("strategy", "sources"), [("icarl", ("memory",)), ("experience_replay", ("memory",)), ("lwf", ())])
def test_pictures_help_other_classifiers_as_well(average, strategy, sources):
    found = {source: average(strategy, source=source) for source in ("none", "ideal", *sources)}
    print(found)
    assert max(found, key=found.get) == "ideal"


def test_pictures_help_more_than_what_stands_beside_them(average):
    either = [average("lucir", source="ideal", losses=losses) for losses in ("classification", "distillation")]
    plain = average("lucir")
    both, useless, memory = (average("lucir", source=source) for source in ("ideal", "useless", "memory"))
    print(either, both, useless, memory)
    assert both >= max(either) and both > memory and useless <= plain
