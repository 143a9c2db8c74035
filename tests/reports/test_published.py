"""Ours beside the paper's: deviations by hand, and everything said that keeps two numbers from being compared."""

from pathlib import Path

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.reports.comparison import Cell, compare
from palimpsest.reports.published import compare_published, render_published
from palimpsest.reports.results import Results
from tests.reports.test_comparison import a_run
from tests.reports.test_table import printed

OPTIONS = {"teacher_steps": 2, "strength": 0.75}
INCEPTION = {"name": "inception-v3", "sha256": "cd" * 32}
RESNET = {"name": "resnet18-512", "sha256": "ef" * 32}
SEEDS = (42, 69, 1714)


def published(**changes) -> dict:
    rows = [
        {"table": "1, 2, B.4", "strategy": "joint", "options": {}, "fid": (15.49, 1.3), "kld": None, "accuracy": None},
        {
            "table": "1, 2, B.4", "strategy": "generative_distillation", "options": OPTIONS, "fid": (20.0, 3.0),
            "kld": (0.25, 0.1), "accuracy": (0.72, 0.0), "note": "a remark",
        },
    ]  # fmt: skip
    settings = {"name": "digits", "training": {"steps": 500}, "engine": {"threads": 8}}
    return {"experiment": "digits", "seeds": list(SEEDS), "settings": settings, "rows": rows, **changes}


def ours(**changes) -> list[Results]:
    """Three seeds of generative distillation with fid 27, 30, 33 (ddof 0: s² = 6, error √2) by the paper's measures."""
    numbers = {"kld": 0.25, "accuracy": 0.72}
    return [
        a_run(
            "generative_distillation",
            seed,
            **{
                "options": OPTIONS,
                "extractor": INCEPTION,
                "evaluator": RESNET,
                "final": {"fid": fid, **numbers},
                **changes,
            },
        )
        for seed, fid in zip(SEEDS, (27.0, 30.0, 33.0), strict=True)
    ]


def notes(runs: list[Results], **changes) -> str:
    return "\n".join(compare_published(runs, published(**changes)).notes)


def test_a_deviation_is_the_difference_in_combined_standard_errors():
    """(30 − 20)/√(2 + 9) = 3.015."""
    (row,) = compare_published(ours(), published()).rows
    assert row.measures["fid"].ours == Cell(30.0, pytest.approx(2**0.5), 3)
    assert row.measures["fid"].paper == (20.0, 3.0)
    assert row.measures["fid"].deviation == pytest.approx(10 / 11**0.5)
    assert row.measures["kld"].deviation == 0
    assert (row.seeds, row.table) == (SEEDS, "1, 2, B.4")


def test_ddof_1_makes_our_error_wider():
    (row,) = compare_published(ours(), published(), ddof=1).rows
    assert row.measures["fid"].deviation == pytest.approx(10 / (3 + 9) ** 0.5)


def test_a_number_whose_error_is_not_known_stands_alone():
    rows = [{"table": "ablation", "strategy": "generative_distillation", "options": OPTIONS, "fid": (20.125,)}]
    table = compare_published(ours(), published(rows=rows))
    assert table.rows[0].measures["fid"].deviation is None
    assert "a published number whose error is not known has no deviation" in table.notes
    text = printed(render_published(table), 160)
    assert "20.125" in text and "ablation" in text


def test_two_errors_of_0_give_no_deviation():
    (row,) = compare_published(ours(), published()).rows
    assert row.measures["accuracy"].ours.error == 0 and row.measures["accuracy"].deviation is None


def test_fid_in_other_features_is_shown_without_a_deviation_and_said_to_be_so():
    (row,) = compare_published(ours(extractor={"name": "small_cnn-32", "sha256": "ab"}), published()).rows
    assert row.measures["fid"].ours.mean == 30 and row.measures["fid"].deviation is None
    assert row.measures["kld"].deviation is not None
    assert "features of small_cnn-32" in notes(ours(extractor={"name": "small_cnn-32", "sha256": "ab"}))
    assert "Inception" not in notes(ours())


def test_another_evaluator_is_said():
    small = ours(evaluator={"name": "small_cnn-32", "sha256": "ab"})
    assert "labels of small_cnn-32" in notes(small) and "weights: no deviation" in notes(small)
    assert "from ImageNet's weights\n" in notes(ours()) + "\n", "the paper's ResNet-18 is not ours either"


def test_other_seeds_and_a_single_one_are_said():
    assert "seeds" not in notes(ours()).partition("\n")[2]
    few = notes(ours()[:1])
    assert "the paper's seeds are 42, 69, 1714" in few and "teacher_steps=2 strength=0.75: 42" in few
    assert "a single seed has no standard error" in few
    assert compare_published(ours()[:1], published()).rows[0].measures["fid"].deviation is None


def test_settings_that_are_not_the_published_ones_are_said_and_the_engine_is_not():
    runs = ours(settings={"training.steps": 5, "engine.threads": 2})
    assert "training.steps = 5 (published: 500)" in notes(runs)
    assert "not run as published" not in notes(ours())


def test_rows_stand_in_the_papers_order_and_other_runs_are_named():
    joint = [a_run("joint", seed, extractor=INCEPTION, evaluator=RESNET) for seed in SEEDS]
    other = a_run("lwf", path=Path("runs/other"), extractor=INCEPTION, evaluator=RESNET)
    unfinished = a_run("joint", 7, finished=False, final={}, extractor=INCEPTION, evaluator=RESNET)
    table = compare_published([*ours(), *joint, other, unfinished], published())
    assert [row.method.partition("\n")[0] for row in table.rows] == ["joint", "generative_distillation"]
    assert "no published row for, or not finished: runs/other, runs/joint-seed7" in table.notes
    assert "generative_distillation: a remark" in table.notes


def test_another_option_is_another_method():
    with pytest.raises(RequestError, match="none of the 3 runs .*palimpsest study digits --published"):
        compare_published(ours(options={**OPTIONS, "strength": 3.0}), published())


def test_two_extractors_are_refused():
    with pytest.raises(RequestError, match="extractors"):
        compare_published([*ours(), a_run("joint", 42)], published())


def test_the_table_prints_ours_the_papers_and_the_deviation():
    text = printed(render_published(compare_published(ours(), published())), 160)
    for part in ("30.0 ± 1.4", "20.00 ± 3.00", "+3.0", "0.25 ± 0.10", "fid ↓", "1, 2, B.4", "ddof 0"):
        assert part in text


def test_methods_with_other_seeds_are_named_in_every_comparison():
    runs = [a_run("joint", 0), a_run("joint", 1), a_run("lwf", 0), a_run("finetune", 0)]
    (note,) = (note for note in compare(runs).notes if "same seeds" in note)
    assert note.endswith("joint: 0, 1; lwf, finetune: 0")
    assert not any("same seeds" in note for note in compare(runs[2:]).notes)


def test_ddof_0_divides_by_the_number_of_seeds():
    """1, 2, 6: mean 3, s² = 14/3, error √(14/9)."""
    runs = [a_run(seed=seed, final={"fid": fid}) for seed, fid in enumerate((1.0, 2.0, 6.0))]
    table = compare(runs, ddof=0)
    assert table.rows[0].measures["fid"].error == pytest.approx((14 / 9) ** 0.5)
    assert "mean ± standard error over seeds (ddof 0)" in table.notes
    assert compare(runs[:1], ddof=0).rows[0].measures["fid"].error is None
