"""The networks: as published, and refused where they could not work."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.models.options import UNetOptions
from palimpsest.models.unet import build_unet, parameter_count
from palimpsest.runs.config import resolve
from palimpsest.runs.tables import read_experiment
from tests.tiny import same


@pytest.mark.parametrize(
    ("experiment", "channels", "count"), [("fashion_mnist", 1, 42_855_873), ("cifar10", 3, 35_746_307)]
)
def test_the_published_networks_have_the_published_sizes(experiment, channels, count):
    options = resolve(read_experiment(experiment)).denoiser
    with torch.device("meta"):
        network = build_unet(options, (channels, 32, 32))
    assert parameter_count(network) == count


def test_initial_weights_come_from_the_seed_and_leave_the_global_state_alone():
    options = UNetOptions(block_out_channels=(8, 8), norm_num_groups=4)
    before = torch.get_rng_state()
    first, again, other = (build_unet(options, (1, 8, 8), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first, again) and not same(first, other)


def test_pictures_that_are_not_square():
    network = build_unet(UNetOptions(block_out_channels=(8, 8), norm_num_groups=4), (3, 8, 12))
    assert network(torch.zeros(2, 3, 8, 12), torch.zeros(2, dtype=torch.int64)).sample.shape == (2, 3, 8, 12)


def test_what_cannot_work_is_refused():
    with pytest.raises(RequestError, match="cannot be halved 2 times.*multiple of 4"):
        build_unet(UNetOptions(block_out_channels=(8, 8, 8), norm_num_groups=4), (1, 6, 6))
    with pytest.raises(RequestError, match="names 1 blocks for the 2 levels"):
        build_unet(UNetOptions(block_out_channels=(8, 8), down_block_types=("DownBlock2D",)), (1, 8, 8))
