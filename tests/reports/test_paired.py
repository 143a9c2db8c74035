"""Differences between methods, seed by seed."""

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.reports.comparison import Cell
from palimpsest.reports.paired import differences
from palimpsest.reports.table import render
from tests.reports.test_comparison import a_run


def test_differences_are_between_runs_of_one_seed():
    """Seeds 0 and 1 are shared: −4 and −6, mean −5, error 1. Seed 2 of lwf and seed 3 of joint stand alone."""
    runs = [a_run("joint", seed, final={"fid": fid, "kld": 1.0}) for seed, fid in ((0, 10.0), (1, 50.0), (3, 7.0))]
    runs += [a_run("lwf", seed, final={"fid": fid}) for seed, fid in ((0, 6.0), (1, 44.0), (2, 1.0))]
    table = differences(runs, runs[0])
    (row,) = table.rows
    assert row.strategy == "lwf" and row.seeds == (0, 1)
    assert row.measures == {"fid": Cell(-5.0, pytest.approx(1.0), 2)}
    assert table.notes[0].startswith("differences from joint (joint-seed0), seed by seed")
    assert render(table)


def test_the_base_need_not_be_among_the_others():
    (row,) = differences([a_run("lwf")], a_run("joint", final={"fid": 4.0})).rows
    assert row.measures["fid"].mean == 6.0


def test_runs_without_a_common_measure_are_no_pair():
    with pytest.raises(RequestError, match="no other method"):
        differences([a_run("lwf")], a_run("joint", final={"accuracy": 0.5}))


def test_without_a_common_seed_there_is_no_difference():
    with pytest.raises(RequestError, match=r"no other method has a finished run with a seed of .*joint-seed0.*\(found: 0\)"):
        differences([a_run("joint", 0), a_run("lwf", 1)], a_run("joint", 0))


def test_each_pair_may_have_a_row_of_its_own():
    runs = [a_run("joint", seed, final={"fid": fid}) for seed, fid in ((0, 10.0), (1, 50.0))]
    runs += [a_run("lwf", seed, final={"fid": fid}) for seed, fid in ((0, 6.0), (1, 44.0))]
    rows = differences(runs, runs[0], each=True).rows
    assert [(row.method, row.measures["fid"].mean) for row in rows] == [("lwf\nseed=0", -4.0), ("lwf\nseed=1", -6.0)]
