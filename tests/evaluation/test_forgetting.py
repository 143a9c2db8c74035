"""Summaries of an accuracy matrix, by hand."""

import subprocess
import sys

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.forgetting import (
    average_incremental_accuracy,
    backward_transfer,
    base_forgetting,
    forgetting,
    last_accuracy,
    summaries,
)

MATRIX = [[0.9], [0.95, 0.8], [0.5, 0.7, 1.0]]


def test_the_numbers_are_those_on_paper():
    """Last (0.5 + 0.7 + 1) / 3. Incremental (0.9 + 0.875 + 0.7333) / 3. Task 1 was best after task 2, and fell by 0.45;
    task 2 by 0.1. Against their own tasks they changed by −0.4 and −0.1."""
    assert last_accuracy(MATRIX) == pytest.approx(2.2 / 3)
    assert average_incremental_accuracy(MATRIX) == pytest.approx((0.9 + 0.875 + 2.2 / 3) / 3)
    assert forgetting(MATRIX) == pytest.approx((0.45 + 0.1) / 2)
    assert backward_transfer(MATRIX) == pytest.approx((-0.4 - 0.1) / 2)


def test_weights_make_the_accuracies_those_of_all_test_pictures():
    """1, 3 and 6 test pictures a task: (0.5 + 2.1 + 6) / 10 after the last, (0.95 + 2.4) / 4 after the second."""
    weights = [1, 3, 6]
    assert last_accuracy(MATRIX, weights) == pytest.approx(0.86)
    assert average_incremental_accuracy(MATRIX, weights) == pytest.approx((0.9 + 3.35 / 4 + 0.86) / 3)
    assert summaries(MATRIX, [5, 5, 5]) == pytest.approx(summaries(MATRIX))


def test_an_accuracy_that_never_changes_is_neither_forgotten_nor_transferred():
    still = [[0.7], [0.7, 0.7], [0.7, 0.7, 0.7], [0.7, 0.7, 0.7, 0.7]]
    expected = {
        "last_accuracy": 0.7,
        "average_incremental_accuracy": 0.7,
        "forgetting": 0.0,
        "base_forgetting": 0.0,
        "backward_transfer": 0.0,
    }
    assert summaries(still) == pytest.approx(expected)


def test_the_fall_of_the_first_task_is_the_other_definition():
    assert base_forgetting([[0.9], [0.6, 0.8], [0.1, 0.5, 1.0]]) == pytest.approx(0.8)
    assert base_forgetting([[0.5], [0.75, 0.8]]) == pytest.approx(-0.25), "negative where it became better"
    with pytest.raises(RequestError, match="at least 2 tasks"):
        base_forgetting([[0.9]])


def test_where_tasks_only_fall_forgetting_is_the_transfer_turned_round():
    falling = [[0.9], [0.6, 0.8], [0.1, 0.5, 1.0]]
    assert forgetting(falling) == pytest.approx(-backward_transfer(falling))


def test_a_matrix_of_perfect_finetuning_forgets_everything():
    finetuned = [[1.0], [0.0, 1.0], [0.0, 0.0, 1.0]]
    found = summaries(finetuned)
    assert found["forgetting"] == 1 and found["backward_transfer"] == -1
    assert found["last_accuracy"] == pytest.approx(1 / 3)
    assert found["average_incremental_accuracy"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


def test_tasks_that_became_better_have_negative_forgetting():
    assert forgetting([[0.5], [0.8, 0.9]]) == pytest.approx(-0.3)


def test_what_does_not_exist_is_absent_and_never_zero():
    assert summaries([]) == {}
    assert summaries([[0.9]]) == {"last_accuracy": 0.9, "average_incremental_accuracy": 0.9}
    for measure in (forgetting, backward_transfer):
        with pytest.raises(RequestError, match="at least 2 tasks"):
            measure([[0.9]])
    with pytest.raises(RequestError, match="at least 1 tasks"):
        last_accuracy([])


@pytest.mark.parametrize("matrix", [[[0.9], [0.8]], [[0.9, 0.1], [0.8, 0.7]], [[]]])
def test_a_matrix_that_is_not_lower_triangular_is_refused(matrix):
    with pytest.raises(RequestError, match="one row for each task trained"):
        summaries(matrix)


@pytest.mark.parametrize("weights", [[1, 2], [0, 0, 0]])
def test_too_few_weights_are_refused(weights):
    with pytest.raises(RequestError, match="number of test pictures of each task"):
        summaries(MATRIX, weights)


def test_needs_no_torch():
    check = "import sys, palimpsest.evaluation.forgetting; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
