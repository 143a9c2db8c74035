"""Comparing runs: means and errors by hand, and what must not stand in one table."""

from pathlib import Path

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.reports.comparison import Cell, compare
from palimpsest.reports.results import Results, Task

EXTRACTOR = {"name": "small_cnn-32", "sha256": "ab" * 32}


def a_run(strategy: str = "joint", seed: int = 0, **changes) -> Results:
    tasks = tuple(Task(n, (str(n),), {"fid": 100.0 + n}, 1.0) for n in (1, 2))
    plain = {
        "path": Path(f"runs/{strategy}-seed{seed}"),
        "experiment": "digits",
        "stream": "digits",
        "strategy": strategy,
        "options": {},
        "settings": {"training.steps": 500},
        "seed": seed,
        "finished": True,
        "allowed_to_remember": "everything",
        "tasks": tasks,
        "task_count": 2,
        "final": {"fid": 10.0},
        "cost": {"student_passes": 1000, "teacher_passes": 500, "seconds": 60.0},
        "extractor": EXTRACTOR,
    }
    return Results(**{**plain, **changes})


def test_cells_are_means_with_standard_errors_by_hand():
    """1, 2, 6: mean 3, s² = (4 + 1 + 9)/2 = 7, error √(7/3)."""
    runs = [a_run(seed=seed, final={"fid": fid}) for seed, fid in enumerate((1.0, 2.0, 6.0))]
    (row,) = compare(runs).rows
    assert row.measures["fid"] == Cell(3.0, pytest.approx((7 / 3) ** 0.5), 3)
    assert row.seeds == (0, 1, 2) and row.passes == Cell(1500.0, 0.0, 3) and row.seconds.mean == 60


def test_a_single_seed_has_no_error():
    (row,) = compare([a_run()]).rows
    assert row.measures["fid"] == Cell(10.0, None, 1)


def test_columns_are_the_measures_present_in_the_catalogs_order():
    table = compare([a_run(final={"kld_long": 1.0, "kld": 2.0}), a_run("finetune", final={"fid": 3.0, "other": 4.0})])
    assert table.measures == ("fid", "kld", "kld_long", "other")


def test_methods_are_strategies_with_their_options_in_the_order_given():
    runs = [a_run("lwf"), a_run("joint"), a_run("lwf", options={"strength": 2.0}), a_run("lwf", seed=1)]
    assert [(row.method, row.seeds) for row in compare(runs).rows] == [
        ("lwf", (0, 1)),
        ("joint", (0,)),
        ("lwf\nstrength=2.0", (0,)),
    ]


def test_runs_of_unequal_length_are_named_as_such():
    short, long = (Task(1, ("1",), {"fid": 100.0}, 1.0, seen={"steps": steps}) for steps in (600, 960))
    runs = [a_run("icarl", tasks=(short,)), a_run("lucir", tasks=(long,))]
    assert "runs have from 600 to 960 optimizer steps" in compare(runs).notes
    assert not any("steps" in note for note in compare([runs[0], a_run("finetune", tasks=(short,))]).notes)


def test_switches_are_spelt_as_they_are_set():
    runs = [a_run("jdcl", options={"two_stage": stages}) for stages in (True, False)]
    assert [row.method for row in compare(runs).rows] == ["jdcl\ntwo_stage=true", "jdcl\ntwo_stage=false"]


LWF = {"lwf": {"strength": 1.25, "clip": 1, "views": 1}}


def test_options_that_are_the_defaults_are_not_shown_but_still_tell_runs_apart():
    """A default is named where another row has another value; what is the same in all rows is not."""
    runs = [a_run("lwf", options={"strength": 1.25, "clip": 1}), a_run("lwf", options={"strength": 2.0, "clip": 1})]
    table = compare(runs, defaults=LWF)
    assert [row.method for row in table.rows] == ["lwf\nstrength=1.25", "lwf\nstrength=2.0"]
    assert not any("clip" in note for note in table.notes)
    assert [row.method for row in compare(runs[:1], defaults=LWF).rows] == ["lwf"]


def test_an_option_that_all_rows_of_a_strategy_have_is_said_once_below():
    """A strategy with one row says its own there, for nothing is repeated."""
    runs = [a_run("lwf", options={"strength": strength, "clip": 5, "views": 1}) for strength in (1.25, 2.0)]
    table = compare([*runs, a_run("joint", options={"batch": 3})], defaults=LWF | {"joint": {"batch": 1}})
    assert [row.method for row in table.rows] == ["lwf\nstrength=1.25", "lwf\nstrength=2.0", "joint\nbatch=3"]
    assert [note for note in table.notes if "rows" in note] == ["lwf has clip=5 in all rows"]
    assert [row.constant for row in table.rows] == [{"clip": 5}, {"clip": 5}, {}]


def test_runs_with_other_settings_are_another_row_that_says_which():
    runs = [a_run(seed=0), a_run(seed=1, settings={"training.steps": 50})]
    assert [row.method for row in compare(runs).rows] == ["joint\ntraining.steps=500", "joint\ntraining.steps=50"]
    assert [row.method for row in compare(runs[:1]).rows] == ["joint"]


def test_a_setting_that_is_as_the_experiment_has_it_is_said_only_where_the_rows_of_a_strategy_differ_in_it():
    """Of an experiment that is not known, all that differ are said."""
    runs = [a_run(), a_run("lwf", settings={"training.steps": 50}), a_run("ewc"), a_run("ewc", settings={"training.steps": 9})]
    usual = {"experiment digits": {"training.steps": 500}}
    rows = ["joint", "lwf\ntraining.steps=50", "ewc\ntraining.steps=500", "ewc\ntraining.steps=9"]
    assert [row.method for row in compare(runs, usual).rows] == rows
    assert compare(runs, {"experiment other": {"training.steps": 500}}).rows[0].method == "joint\ntraining.steps=500"


def test_options_of_a_strategy_that_took_part_tell_the_runs_apart_that_had_it():
    key = "strategy.generative_replay_classifier.reuse"
    plain = {"training.steps": 500}
    runs = [a_run("lwf", settings=plain | {key: 1}), a_run("lwf", settings=plain | {key: 5}), a_run(settings=plain)]
    assert [row.method for row in compare(runs).rows] == [f"lwf\n{key}=1", f"lwf\n{key}=5", "joint"]
    assert [row.method for row in compare(runs[1:]).rows] == ["lwf", "joint"]


def test_two_experiments_on_one_stream_are_two_rows_that_say_which():
    rows = compare([a_run(), a_run(seed=1, experiment="digits_long")]).rows
    assert [row.method for row in rows] == ["joint\nexperiment=digits", "joint\nexperiment=digits_long"]


def test_unfinished_runs_stand_alone_and_the_table_says_so():
    unfinished = [a_run(seed=seed, finished=False, final={}, task_count=5) for seed in (2, 3)]
    table = compare([*unfinished, a_run(seed=0), a_run(seed=1, final={"fid": 12.0})])
    assert [(row.progress, row.seeds) for row in table.rows] == [
        ("2", (0, 1)),
        ("task 2 of 5", (2,)),
        ("task 2 of 5", (3,)),
    ]
    assert table.rows[0].measures["fid"].mean == 11 and table.rows[1].measures["fid"] == Cell(102.0, None, 1)
    assert any("never averaged" in note for note in table.notes)
    assert not any("never averaged" in note for note in compare([a_run()]).notes)


def test_a_measure_that_some_seeds_lack_is_averaged_over_those_that_have_it():
    (row,) = compare([a_run(final={"fid": 1.0, "kld": 5.0}), a_run(seed=1, final={"fid": 3.0})]).rows
    assert row.measures["kld"] == Cell(5.0, None, 1) and row.measures["fid"].count == 2


def test_a_cost_that_was_not_counted_is_absent_and_not_zero():
    (row,) = compare([a_run(cost={"seconds": 3.0})]).rows
    assert row.passes is None and row.seconds.mean == 3


def refusal(*runs: Results) -> str:
    with pytest.raises(RequestError) as caught:
        compare(runs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_extractors_are_refused_naming_runs_and_extractors():
    sentence = refusal(a_run(), a_run("lwf", extractor={"name": "inception", "sha256": "cd" * 32}))
    for part in ("extractors", "joint-seed0", "lwf-seed0", "small_cnn-32 (abababababab)", "inception (cdcdcdcdcdcd)"):
        assert part in sentence
    assert "none" in refusal(a_run(), a_run("lwf", extractor={}))


def test_the_settings_that_made_two_evaluators_are_said():
    settings = {"training.steps": 500, "stream.limit": 0, "evaluation.samples": 9}
    runs = [a_run(settings=settings, evaluator={"name": "small_cnn", "sha256": "ab"})]
    other = {"settings": settings | {"stream.limit": 100, "evaluation.samples": 1}, "evaluator": {"name": "small_cnn", "sha256": "cd"}}
    assert "(they differ in stream.limit); compare them apart" in refusal(*runs, a_run("lwf", **other))


def test_a_classifier_stands_beside_a_generator_with_gaps_and_a_note():
    """It was never asked for samples, so that it has no extractor; two extractors among the others are refused as ever."""
    tasks = tuple(Task(n, (str(n),), {"accuracy": 0.5}, 1.0) for n in (1, 2))
    classifier = a_run("icarl", extractor={}, tasks=tasks, final={"accuracy": 0.5, "forgetting": 0.1})
    for runs in ([classifier, a_run()], [a_run(), classifier]):
        table = compare(runs)
        assert table.measures == ("fid", "accuracy", "forgetting") and table.extractor == "small_cnn-32"
        assert [note for note in table.notes if "no samples of icarl were measured" in note]
    assert "extractors" in refusal(classifier, a_run(), a_run("lwf", extractor={"name": "inception", "sha256": "cd"}))
    assert compare([classifier]).notes == ()


def test_two_streams_are_refused_naming_runs_and_streams():
    sentence = refusal(a_run(), a_run("lwf", stream="cifar10"))
    for part in ("streams", "joint-seed0", '"digits"', "lwf-seed0", '"cifar10"'):
        assert part in sentence


def test_a_seed_that_would_count_twice_is_refused_naming_both_directories():
    sentence = refusal(a_run(path=Path("a")), a_run("lwf"), a_run(path=Path("b")))
    assert '"a" and "b"' in sentence and "seed 0" in sentence


def test_no_runs_are_refused():
    assert "nothing to compare" in refusal()


def test_each_run_may_have_a_row_of_its_own():
    runs = [a_run(seed=0), a_run("lwf", seed=0), a_run(seed=1, final={"fid": 4.0}), a_run(seed=2, finished=False)]
    table = compare(runs, each=True)
    assert [(row.method, row.seeds) for row in table.rows] == [
        ("joint\nseed=0", (0,)),
        ("lwf\nseed=0", (0,)),
        ("joint\nseed=1", (1,)),
        ("joint\nseed=2", (2,)),
    ]
    assert table.rows[2].measures["fid"] == Cell(4.0, None, 1)
    assert [note for note in table.notes if "seeds" in note] == []


def test_runs_of_an_earlier_version_did_what_later_options_have_for_a_default():
    """Two seeds of one method, of which the second has an option and a setting more; another value of either is another method."""
    defaults = {"lwf": {"strength": 1.0, "reuse": 1}, "experiment ": {"joint.class_weight": 0.001}}
    before = a_run("lwf", 0, options={"strength": 2.0}, settings={"training.steps": 4})
    after = a_run("lwf", 1, options={"strength": 2.0, "reuse": 1}, settings={"training.steps": 4, "joint.class_weight": 0.001})
    (row,) = compare([before, after], defaults).rows
    assert row.seeds == (0, 1) and row.method == "lwf\nstrength=2.0"
    for options, settings in (({"reuse": 2}, {}), ({}, {"joint.class_weight": 0.1})):
        other = a_run("lwf", 1, options=after.options | options, settings=after.settings | settings)
        assert len(compare([before, other], defaults).rows) == 2
