"""Laws of what a network predicts: whatever it is, ε comes out, and the loss is the network's own."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, generator
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.parametrisation import PARAMETRISATIONS, make_parametrisation
from palimpsest.diffusion.process import Process, make_process

T = torch.tensor([0, 100, 500, 800, 900])


@pytest.fixture
def process() -> Process:
    """A process in double precision, for the laws are exact."""
    return make_process(DiffusionOptions()).double()


def batch(process: Process) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = Random(generator("parametrisation"))
    x0, noise = random.normal(5, 2, 3, 3).double(), random.normal(5, 2, 3, 3).double()
    return x0, noise, process.add_noise(x0, noise, T)


def truth(predicts: str, process: Process, x0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """What a perfect network would say."""
    signal, sigma = process.levels(T)
    return {"epsilon": noise, "sample": x0, "v_prediction": signal * noise - sigma * x0}[predicts]


@pytest.mark.parametrize("predicts", PARAMETRISATIONS)
def test_a_perfect_network_says_the_true_noise(process, predicts):
    x0, noise, x_t = batch(process)
    said = make_parametrisation(predicts, process).to_noise(truth(predicts, process, x0, noise), x_t, T)
    assert torch.allclose(said, noise, rtol=1e-5, atol=1e-5)  # the float32 tables hold signal² + sigma² = 1 to 6e-8


@pytest.mark.parametrize("predicts", PARAMETRISATIONS)
def test_weight_makes_the_noise_error_the_native_error(process, predicts):
    """weight(t) · |ε̂ − ε|² = |output − its truth|², sample by sample."""
    x0, noise, x_t = batch(process)
    parametrisation, native = make_parametrisation(predicts, process), truth(predicts, process, x0, noise)
    output = native + Random(generator("error")).normal(5, 2, 3, 3).double()
    difference = parametrisation.to_noise(output, x_t, T) - parametrisation.to_noise(native, x_t, T)
    weight = parametrisation.weight(T)
    counted = difference.square().mean((1, 2, 3)) * (1 if weight is None else weight)
    assert torch.allclose(counted, (output - native).square().mean((1, 2, 3)), rtol=1e-5)


def test_a_noise_network_has_no_weight(process):
    assert make_parametrisation("epsilon", process).weight(T) is None


def test_unknown_prediction_names_the_near_match(process):
    with pytest.raises(RequestError, match="v_prediction"):
        make_parametrisation("v-prediction", process)
