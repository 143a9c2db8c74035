"""No synthetic picture of a class that is present or to come is drawn, however it comes into a batch."""

import pytest
import torch

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RunError
from palimpsest.learning.devices import Machine
from palimpsest.learning.meter import Meter
from palimpsest.sources import Data, Mixed, guarded, union
from palimpsest.sources.guarded import Guarded, Leak
from palimpsest.streams.pictures import Pictures
from tests.laws.test_waiting import Waiting

WAYS = ("mixed", "pooled")


def pictures(labels):
    return Pictures(torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8), torch.tensor(labels))


def synthetic(leak=None):
    return Guarded(pictures([0, 1] * 4), (0, 1), leak or Leak())


def source(way, some):
    data = Data(pictures([5] * 8))
    return Mixed(data, Data(some, name="synthetic")) if way == "mixed" else union(data, some)


def batch(step=0):
    return Batch(8, 8 * step, (0, 1, "train", step))


@pytest.mark.parametrize("label", [5, 7])
def test_a_picture_of_the_present_or_the_future_is_never_taken_up(label):
    with pytest.raises(RunError, match=f"synthetic pictures of class {label} were about to be learnt from"):
        Guarded(pictures([0, label]), (0, 1), Leak())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("label", [5, 7])
def test_nor_is_it_drawn_whatever_happens_in_between(label, way):
    some = synthetic()
    mixed = source(way, some)
    assert set(mixed.draw(batch()).y.tolist()) <= {0, 1, 5}
    some.pictures.labels[:] = label
    with pytest.raises(RunError, match=f"synthetic pictures of class {label} were about to be learnt from"):
        mixed.draw(batch(1))


@pytest.mark.parametrize("way", WAYS)
def test_where_looking_would_wait_for_the_device_it_is_found_when_losses_are_read(way, monkeypatch):
    monkeypatch.setattr(guarded, "AT_ONCE", ())
    leak = Leak()
    some, meter = synthetic(leak), Meter(["data × label"], Machine(torch.device("cpu")), leak)
    mixed = source(way, some)
    mixed.draw(batch())
    meter.check("task 2, step 1")
    some.pictures.labels[3] = 7
    with Waiting():
        for step in range(1, 3):
            mixed.draw(batch(step))
    with pytest.raises(RunError, match="task 2, step 3: synthetic pictures of class 7 were learnt from"):
        meter.check("task 2, step 3")
