"""The class orders of the class-incremental literature, base steps, and pictures that are held back."""

import hashlib

import numpy as np
import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.streams.groups import class_groups, in_order, subset_of
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions

ORDER = [
    # fmt: off
    68,
    56,
    78,
    8,
    23,
    84,
    90,
    65,
    74,
    76,
    40,
    89,
    3,
    92,
    55,
    9,
    26,
    80,
    43,
    38,
    58,
    70,
    77,
    1,
    85,
    19,
    17,
    50,
    28,
    53,
    13,
    81,
    45,
    82,
    6,
    59,
    83,
    16,
    15,
    44,
    91,
    41,
    72,
    60,
    79,
    52,
    20,
    10,
    31,
    54,
    37,
    95,
    14,
    71,
    96,
    98,
    97,
    2,
    64,
    66,
    42,
    22,
    35,
    86,
    24,
    34,
    87,
    21,
    99,
    0,
    88,
    27,
    18,
    94,
    11,
    12,
    47,
    25,
    30,
    46,
    62,
    69,
    36,
    61,
    7,
    63,
    75,
    5,
    32,
    4,
    51,
    48,
    73,
    93,
    39,
    67,
    29,
    49,
    57,
    33,
    # fmt: on
]
SUBSET = [
    # fmt: off
    7,
    11,
    14,
    44,
    54,
    62,
    75,
    77,
    85,
    105,
    108,
    123,
    126,
    127,
    133,
    142,
    160,
    174,
    186,
    192,
    215,
    219,
    224,
    238,
    240,
    260,
    262,
    274,
    275,
    279,
    284,
    288,
    289,
    303,
    312,
    323,
    324,
    337,
    390,
    391,
    394,
    400,
    413,
    419,
    437,
    446,
    466,
    470,
    471,
    473,
    478,
    490,
    493,
    494,
    507,
    508,
    509,
    512,
    523,
    539,
    542,
    548,
    590,
    597,
    600,
    622,
    632,
    634,
    637,
    650,
    658,
    665,
    699,
    704,
    722,
    730,
    748,
    761,
    782,
    783,
    812,
    836,
    842,
    850,
    852,
    856,
    859,
    886,
    894,
    906,
    911,
    912,
    928,
    959,
    966,
    979,
    988,
    989,
    990,
    999,
    # fmt: on
]


def test_the_orders_of_the_literature():
    """Seed 1993: the order of CIFAR-100 and ImageNet-Subset, that of ImageNet, and the classes of ImageNet-Subset."""
    assert in_order(range(100), "numpy", 1993) == ORDER
    thousand = in_order(range(1000), "numpy", 1993)
    assert thousand[:8] == [54, 7, 894, 512, 126, 337, 988, 11] and sorted(thousand) == list(range(1000))
    assert hashlib.sha256(repr(thousand).encode()).hexdigest()[:16] == "1184d882ffd7c9e3"
    subset = subset_of(1000, 100, 1993)
    assert subset == SUBSET and subset[:6] == [7, 11, 14, 44, 54, 62]
    assert set(subset) >= {54, 7, 894, 512, 126, 337}, (
        "hognose snake, cock, wardrobe and the others that are drawn first"
    )


def test_the_orders_are_those_that_numpy_shuffles():
    """As the published code has it, on NumPy's global state."""
    before = np.random.get_state()
    try:
        np.random.seed(1993)
        shuffled = np.arange(1000)
        np.random.shuffle(shuffled)
    finally:
        np.random.set_state(before)
    assert in_order(range(1000), "numpy", 1993) == shuffled.tolist()


def test_a_base_step_and_equal_steps_after_it():
    assert [len(g) for g in class_groups(range(100), 6, "numpy", 1993, base=50)] == [50, 10, 10, 10, 10, 10]
    assert class_groups(range(10), 6, "sorted", base=5) == ((0, 1, 2, 3, 4), (5,), (6,), (7,), (8,), (9,))
    assert class_groups(range(7), 3, "sorted", base=2) == ((0, 1), (2, 3, 4), (5, 6))
    assert class_groups(range(4), 1, "sorted", base=4) == ((0, 1, 2, 3),)


@pytest.mark.parametrize(("tasks", "base"), [(6, 6), (1, 3), (2, 10)])
def test_a_base_that_leaves_nothing_to_others_is_refused(tasks, base):
    with pytest.raises(RequestError, match=f"stream.base is {base}: of 10 classes in {tasks} tasks"):
        class_groups(range(10), tasks, base=base)


def test_a_seed_that_numpy_does_not_take_is_refused():
    with pytest.raises(RequestError, match="takes seeds below"):
        in_order(range(3), "numpy", 2**40)


def stream(**options):
    return open_stream(StreamOptions(**options), 0, "cpu")


def test_pictures_that_are_held_back_are_in_no_task_and_the_same_for_every_order():
    whole, rest, other = stream(), stream(held_back=0.25), stream(held_back=0.25, order="sorted", tasks=2)
    apart = stream(held_back=0.25, use="held_back")
    assert len(rest.train) + len(rest.held_back) == len(whole.train)
    assert torch.equal(rest.held_back.pixels, other.held_back.pixels)
    assert torch.equal(rest.test.pixels.sum(), whole.test.pixels.sum())
    assert len(apart.train) == len(rest.held_back) and apart.held_back is None
    for number in range(10):
        count, all_ = (int((part.labels == number).sum()) for part in (rest.held_back, whole.train))
        assert count == round(0.25 * all_)
    seen = {picture.numpy().tobytes() for picture in rest.train.pixels}
    assert sum(picture.numpy().tobytes() in seen for picture in rest.held_back.pixels) < 3  # digits has a few twins
    assert len(stream().held_back) == 0


@pytest.mark.parametrize("share", [500, 0.001])
def test_a_class_that_would_keep_nothing_or_hold_back_nothing_is_refused(share):
    with pytest.raises(RequestError, match="stream.held_back"):
        stream(held_back=share)
    with pytest.raises(RequestError, match="needs pictures that are held back"):
        stream(use="held_back")


def test_some_of_the_classes():
    some = stream(subset=4, order_seed=1993, tasks=2)
    chosen = subset_of(10, 4, 1993)
    assert some.class_names == tuple(str(number) for number in chosen)
    assert sorted(set(some.train.labels.tolist())) == [0, 1, 2, 3]
    whole = stream()
    for number, original in enumerate(chosen):
        mine = some.train.of_classes([number]).pixels
        assert torch.equal(mine, whole.train.of_classes([original]).pixels)
    with pytest.raises(RequestError, match="stream.subset is 11"):
        stream(subset=11)
