"""What is written down of replay."""

from palimpsest.measuring.replayed import Replayed


def record(drawn, filled_up=(), empty=(), **accepted):
    """Of each class one dream more than was kept."""
    numbers = {int(name[1:]): count for name, count in accepted.items()}
    return {
        "drawn": drawn,
        "labelled": {number: count + 1 for number, count in numbers.items()},
        "accepted": numbers,
        "wasted": 0.0,
        "filled_up": list(filled_up),
        "empty": list(empty),
    }


def test_fillings_of_a_pool_are_summed_and_what_is_seen_in_it_stands_beside():
    """10 dreams with 4 + 2 kept, and 10 with 4 + 4: 14 of 20."""
    replayed = Replayed()
    replayed.dreamt("dreams", "joint", record(10, [1], _0=4, _1=2))
    again = Replayed()
    again.list = replayed.list  # from a checkpoint
    again.entry("dreams", "joint")["purity"] = 0.9
    again.dreamt("dreams", "joint", record(10, _0=4, _1=4))
    assert again.list == [
        {
            "source": "dreams",
            "learner": "joint",
            "purity": 0.9,
            "drawn": 20,
            "labelled": {"0": 10, "1": 8},
            "accepted": {"0": 8, "1": 6},
            "wasted": 1 - 14 / 20,
            "filled_up": [1],
            "empty": [],
        }
    ]


def test_a_class_without_a_dream_is_empty_and_not_filled_up():
    replayed = Replayed()
    replayed.dreamt("dreams", "joint", record(10, [], [1], _0=4, _1=0))
    replayed.dreamt("other dreams", "joint", record(2, [], [], _2=2))
    assert [entry["empty"] for entry in replayed.list] == [[1], []]
