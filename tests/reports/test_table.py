"""Tables on a terminal and as CSV: numbers as people read them, and no line that is too long."""

import csv
import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from palimpsest.core.errors import RequestError
from palimpsest.reports.numbers import amount, duration, plain, with_error
from palimpsest.reports.results import Task
from palimpsest.reports.table import compare, render, run_table, write_csv
from tests.reports.test_comparison import a_run


def printed(renderable, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [
        (130.2468, 4.1234, "130.2 ± 4.1"),
        (1312.4, 95.6, "1312 ± 96"),
        (0.031234, 0.0042, "0.0312 ± 0.0042"),
        (2902.2, 158.4, "2902 ± 158"),
        (5.0, 0.0, "5.000 ± 0"),
        (23.53, None, "23.53"),
    ],
)
def test_a_mean_is_cut_where_its_error_has_two_digits(mean, error, text):
    assert with_error(mean, error) == text


def test_plain_numbers_amounts_and_durations():
    assert [plain(x) for x in (1312.4, 23.531, 0.031237, 0.0, -2.5, math.inf)] == [
        "1312", "23.53", "0.03124", "0", "-2.500", "inf",
    ]  # fmt: skip
    assert [amount(x) for x in (950, 12_340, 999_950, 4_560_000, 7.89e9)] == ["950", "12.3k", "1M", "4.56M", "7.89G"]
    assert [duration(x) for x in (4.21, 92.4, 900, 11_500)] == ["4.2 s", "92 s", "15 min", "3.2 h"]


@pytest.fixture
def table():
    names = ("fid", "kld", "memorisation", "fid_long", "kld_long", "memorisation_long", "density")
    runs = []
    for strategy in ("joint", "generative_distillation"):
        for seed in range(3):
            final = {name: (1 + place) * (10.0 + seed) for place, name in enumerate(names)}
            runs.append(a_run(strategy, seed, final=final, allowed_to_remember="a memory of 100 pictures"))
    unfinished = a_run("experience_replay", finished=False, final={}, task_count=5, options={"memory_size": 100})
    return compare([*runs, unfinished])


@pytest.mark.parametrize("width", [80, 120, 200])
def test_nothing_is_cut_off_at_any_width(table, width):
    text = printed(render(table), width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    for part in ("generative_distillation", "memory_size=100", "task 2 of 5", "memorisation ↓", "never averaged"):
        assert part in text
    assert text.count("11.00 ± 0.58") == 2  # seeds 10, 11, 12: s = 1, error 1/√3
    assert "1.5k" in text and "60 s" in text


def test_measures_that_are_no_headlines_are_named_and_not_shown(table):
    text = printed(render(table), 120)
    assert "density ↓" not in text and "density ↑" not in text
    assert "also measured: density (see the report, or --csv)" in text


def test_what_a_probe_read_is_told_in_numbers():
    """It is measured for whoever asked for it, and there may be no file to look into."""
    tasks = tuple(Task(n, (str(n),), {"fid": 100.0, "accuracy_probe": 0.9 + n / 100}, 1.0) for n in (1, 2))
    assert "accuracy_probe, task by task: 0.9100, 0.9200" in printed(run_table(a_run(tasks=tasks)), 120)
    assert "accuracy_probe" not in printed(run_table(a_run()), 120)


def test_a_wide_terminal_gets_one_table_and_a_narrow_one_repeats_the_methods(table):
    assert printed(render(table), 200).count("generative_distillation") == 1
    assert printed(render(table), 80).count("generative_distillation") == 3


def test_the_extractor_stands_below_with_its_accuracy(table):
    extractor = {"name": "small_cnn-32", "sha256": "ab", "accuracy": 0.9889}
    text = printed(render(compare([a_run(extractor=extractor)])), 80)
    assert "features and labels by small_cnn-32 (accuracy 98.9%)" in text


def test_a_measure_that_some_seeds_lack_says_how_many_have_it():
    runs = [a_run(final={"fid": 1.0, "kld": 5.0}), a_run(seed=1, final={"fid": 3.0})]
    assert "5.000 (1 of 2)" in printed(render(compare(runs)), 120)


def test_an_option_in_brackets_is_text_and_not_markup():
    assert "sizes=[1, 2]" in printed(render(compare([a_run(options={"sizes": [1, 2]})])), 80)


def test_one_runs_table_has_a_row_a_task_and_the_final_measures_in_the_last():
    text = printed(run_table(a_run(final={"fid": 102.0, "fid_long": 90.5})), 80)
    rows = [line.split() for line in text.splitlines() if line.strip()[:1] in ("1", "2")]
    assert rows == [["1", "1", "1.0", "s", "101.0", "–"], ["2", "2", "1.0", "s", "102.0", "90.50"]]
    assert "digits, joint, seed 0" in text


def test_one_unfinished_runs_table_says_how_far_it_came():
    text = printed(run_table(a_run(finished=False, final={}, task_count=5)), 80)
    assert "unfinished, task 2 of 5" in text


def test_long_class_names_wrap_between_words():
    run = a_run()
    task = replace(run.tasks[0], classes=("a very long class name", "another long class name", "a third"))
    text = printed(run_table(replace(run, tasks=(task, run.tasks[1]))), 80)
    assert "…" not in text and all(word in text for word in ("very", "another", "third"))


def test_csv_has_means_and_errors_in_columns_of_their_own(table, tmp_path):
    write_csv(table, tmp_path / "out" / "table.csv")
    with (tmp_path / "out" / "table.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    assert [record["method"] for record in records] == [
        "joint",
        "generative_distillation",
        "experience_replay memory_size=100",
    ]
    assert float(records[0]["fid_mean"]) == 11 and float(records[0]["fid_standard_error"]) == pytest.approx(3**-0.5)
    assert records[0]["seeds"] == "0 1 2" and records[0]["allowed_to_remember"] == "a memory of 100 pictures"
    assert float(records[0]["passes_mean"]) == 1500 and float(records[0]["seconds_mean"]) == 60
    assert records[2]["finished"] == "False" and records[2]["fid_standard_error"] == "" == records[2]["kld_mean"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["table.csv"]


def test_long_names_of_methods_go_on_in_a_second_line():
    """A list of classes, and a key of another strategy that is wider than the column."""
    key = "strategy.generative_replay_classifier.teacher_sampler_of_dreams"
    tasks = [[[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]], [[0], [1], [2], [3], [4], [5], [6], [7], [8], [9]]]
    runs = [a_run(settings={"stream.tasks": each, key: number}) for number, each in enumerate(tasks)]
    text = printed(render(compare(runs)), 80)
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    assert f"{key}=1" in "".join(line[1:41].strip() for line in text.splitlines())


def test_in_a_file_each_row_says_all_that_is_not_the_default(tmp_path):
    """There are no notes below it."""
    runs = [a_run("lwf", options={"strength": strength, "clip": 5}) for strength in (1.25, 2.0)]
    write_csv(compare(runs, {"lwf": {"strength": 1.25, "clip": 1}}), tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        methods = [record["method"] for record in csv.DictReader(file)]
    assert methods == ["lwf clip=5 strength=1.25", "lwf clip=5 strength=2.0"]


def test_csv_is_overwritten_only_by_force(table, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("mine")
    with pytest.raises(RequestError, match="--force"):
        write_csv(table, path)
    assert path.read_text() == "mine"
    write_csv(table, path, force=True)
    assert path.read_text().startswith("method,")
