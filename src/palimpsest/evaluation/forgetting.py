"""What a classifier kept: summaries of the accuracies after each task. Plain Python; imports no torch.

All take the accuracy matrix R: row i holds the accuracies after task i, 0 to 1, on the test pictures of the tasks
j ≤ i seen so far, so R[i] has i + 1 numbers (counted from 0). Rows of tasks that were not trained yet are left out.
"""

from collections.abc import Sequence

from palimpsest.core.errors import RequestError

Matrix = Sequence[Sequence[float]]
Weights = Sequence[float]


def last_accuracy(matrix: Matrix, weights: Weights | None = None) -> float:
    """Accuracy after the last task, over all tasks: the mean of R's last row (Lopez-Paz & Ranzato 2017,
    arXiv 1706.08840, eq. 2: ACC).

    weights: test pictures of each task, which make it the share of all test pictures; None counts tasks equally.
    Unit: share of test pictures, 0 to 1.  Direction: higher is better.
    Raises RequestError for a matrix that is not lower triangular, or too few weights.
    """
    return mean(checked(matrix)[-1], weights)


def average_incremental_accuracy(matrix: Matrix, weights: Weights | None = None) -> float:
    """Mean over all tasks i of the accuracy, after task i, on the classes seen so far (Rebuffi et al. 2017,
    arXiv 1611.07725, sec. 4: average incremental accuracy), the first task included.

    weights: test pictures of each task, which make it exact for tasks of unequal size; None counts tasks equally.
    Unit: share of test pictures, 0 to 1.  Direction: higher is better.
    Raises RequestError for a matrix that is not lower triangular, or too few weights.
    """
    return mean([mean(row, weights) for row in checked(matrix)])


def forgetting(matrix: Matrix) -> float:
    """How far tasks have fallen from their best, before the last task, until after it (Chaudhry et al. 2018,
    arXiv 1801.10112, eq. 3).

        mean_{j<T} ( max_{j≤i<T} R[i][j] − R[T][j] )

    The last task is left out, having had no time to be forgotten. All tasks count equally.
    Unit: share of test pictures, −1 to 1 (negative: older tasks became better).  Direction: lower is better.
    Raises RequestError for fewer than two tasks, where it does not exist, or a matrix that is not lower triangular.
    """
    *before, last = checked(matrix, tasks=2)
    return mean([max(row[j] for row in before[j:]) - last[j] for j in range(len(before))])


def base_forgetting(matrix: Matrix) -> float:
    """How far the first task's accuracy has fallen since it was learnt, R[1][1] − R[T][1]: the other definition of forgetting, of the
    class-incremental literature, where the first task is the largest (Liu et al. 2020, arXiv 2002.10211).

    Unit: share of test pictures, −1 to 1.  Direction: lower is better.
    Raises RequestError for fewer than two tasks, where it does not exist, or a matrix that is not lower triangular.
    """
    first, *_, last = checked(matrix, tasks=2)
    return first[0] - last[0]


def backward_transfer(matrix: Matrix) -> float:
    """What later tasks did to the accuracy on earlier ones (Lopez-Paz & Ranzato 2017, arXiv 1706.08840, eq. 3: BWT).

        mean_{j<T} ( R[T][j] − R[j][j] )

    All tasks but the last count equally.
    Unit: share of test pictures, −1 to 1 (negative: forgotten).  Direction: higher is better.
    Raises RequestError for fewer than two tasks, where it does not exist, or a matrix that is not lower triangular.
    """
    *before, last = checked(matrix, tasks=2)
    return mean([last[j] - row[j] for j, row in enumerate(before)])


def summaries(matrix: Matrix, weights: Weights | None = None) -> dict[str, float]:
    """All that exist, by the names above: without a row none does, and after one task there is no forgetting yet."""
    found = {}
    if matrix:
        found["last_accuracy"] = last_accuracy(matrix, weights)
        found["average_incremental_accuracy"] = average_incremental_accuracy(matrix, weights)
    if len(matrix) > 1:
        found["forgetting"] = forgetting(matrix)
        found["base_forgetting"] = base_forgetting(matrix)
        found["backward_transfer"] = backward_transfer(matrix)
    return found


def mean(values: Sequence[float], weights: Weights | None = None) -> float:
    """The mean, weighted by the first of `weights` where these are given."""
    weights = [1.0] * len(values) if weights is None else weights[: len(values)]
    if len(weights) < len(values) or not sum(weights) > 0:
        raise RequestError(
            f"{len(values)} accuracies need as many weights, not all 0, but these are {list(weights)}; "
            "give the number of test pictures of each task."
        )
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def checked(matrix: Matrix, tasks: int = 1) -> Matrix:
    """The matrix, where it is lower triangular and has rows for at least so many tasks; RequestError otherwise."""
    lengths = [len(row) for row in matrix]
    if len(matrix) < tasks or lengths != list(range(1, len(matrix) + 1)):
        raise RequestError(
            f"an accuracy matrix needs rows of 1, 2, ... numbers for at least {tasks} tasks, but its rows have "
            f"{lengths}; give one row for each task trained."
        )
    return matrix
