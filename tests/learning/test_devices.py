"""Where it computes. The device `meta` stands in for a GPU: it refuses to mix with the CPU just as one does."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.learning.devices import Machine, find_device
from palimpsest.learning.meter import Meter
from palimpsest.learning.past import Past
from palimpsest.learning.progress import Progress
from palimpsest.learning.state import numbers_of, restore, tensors_of
from palimpsest.sources import Memory
from palimpsest.streams.pictures import Pictures
from tests.tiny import tiny_denoiser

CPU = Machine(torch.device("cpu"))
META = Machine(torch.device("meta"))


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_a_restored_run_lies_on_its_device():
    memory = Memory((Pictures(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.arange(4)),))
    past = Past(frozenset({"memory", "teacher"}), remembered=memory)
    before = Progress({"denoiser": tiny_denoiser()}, past, Machine(torch.device("cpu")))
    after = Progress({"denoiser": tiny_denoiser().to("meta")}, past, META)
    restore(after, numbers_of(before), tensors_of(before))
    assert after.past.remembered.groups[0].pixels.device.type == "meta"
    assert after.past.remembered.pictures.device.type == "meta"


def test_a_meter_goes_on_where_its_losses_are():
    meter = Meter(["a"], META)
    meter.load({"sums": torch.zeros(1), "first_bad": torch.full((1,), -1), "counts": torch.tensor([3])})
    meter.add({"a": torch.zeros((), device="meta")}, 4)
    assert meter.sums.device.type == "meta" and meter.counts == [4]


def test_a_term_that_counts_every_so_many_steps_has_the_mean_of_those():
    meter = Meter(["a", "b", "c"], CPU)
    for step in range(4):
        parts = {"a": torch.tensor(float(step))} | ({"b": torch.tensor(10.0 + step)} if step % 3 == 0 else {})
        meter.add(parts, step)
    assert meter.read() == {"a": 1.5, "b": 11.5}, "what did not count at all is absent, and not 0"
    meter.add({"a": torch.tensor(7.0)}, 4)
    assert meter.read() == {"a": 7.0}


def test_a_device_that_is_not_there_is_refused():
    assert find_device("cpu") == torch.device("cpu")
    if not torch.backends.mps.is_available():
        with pytest.raises(
            RequestError, match='device "mps" was asked for, and torch finds none here; legal here: auto'
        ):
            find_device("mps")
