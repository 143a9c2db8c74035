"""Laws of the denoiser: one head, ε in float32 whatever the network, counted passes."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Random, generator
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.process import make_process
from tests.tiny import tiny_denoiser

PROCESS = make_process(DiffusionOptions(steps=20))


class Network(nn.Module):
    """A convolution that knows the time, and the class where it is told."""

    def __init__(self, wrapped: bool = False) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)
        self.wrapped = wrapped

    def forward(self, x, t, y=None):
        said = self.layer(x + t.view(-1, 1, 1, 1) / 20) + (0 if y is None else y.view(-1, 1, 1, 1))
        return SimpleNamespace(sample=said) if self.wrapped else said


def denoiser(**options) -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(options.pop("network", None) or Network(), PROCESS, (1, 4, 4), **options)


def images(count: int = 3, **fields) -> Images:
    return Images(torch.rand(count, 1, 4, 4), torch.arange(count), **fields)


def random() -> Random:
    return Random(generator("denoiser"))


def test_a_tensor_and_an_object_with_a_sample_are_read_alike():
    torch.manual_seed(0)
    wrapped = denoiser(network=Network(wrapped=True))
    wrapped.load_state_dict(denoiser().state_dict())
    x, t = torch.rand(2, 1, 4, 4), torch.tensor([3, 7])
    assert torch.equal(wrapped.noise(x, t), denoiser().noise(x, t))


def test_one_level_stands_for_all():
    x = torch.rand(2, 1, 4, 4)
    each = denoiser().noise(x, torch.tensor([7, 7]))
    assert torch.equal(denoiser().noise(x, 7), each) and torch.equal(denoiser().noise(x, torch.tensor(7)), each)


def test_forward_answers_each_head_with_the_noise():
    student = denoiser()
    asked = student.pose("noise", images(), random())
    assert torch.equal(student({"noise": asked})["noise"], student.noise(asked.x_t, asked.t))


def test_pictures_that_went_through_the_network_are_counted():
    student = denoiser()
    student.noise(torch.rand(3, 1, 4, 4), 1)
    student.noise(torch.rand(2, 1, 4, 4), 1)
    assert student.passes == 5


@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction"])
def test_the_answer_is_float32_under_autocast(predicts):
    """And is the parametrisation of the network's bfloat16 output in float32, not in bfloat16."""
    student, x, t = denoiser(predicts=predicts), torch.rand(2, 1, 4, 4), torch.tensor([3, 19])
    with torch.autocast("cpu", torch.bfloat16):
        said, output = student.noise(x, t), student.network(x, t)
    assert output.dtype == torch.bfloat16 and said.dtype == torch.float32
    assert torch.equal(said, student.parametrisation.to_noise(output.float(), x, t))


def test_images_are_noised_by_the_process():
    asked = denoiser().pose("noise", images(), random())
    assert asked.noise is not None and asked.weight is None and torch.equal(asked.y, torch.arange(3))


def test_images_are_noised_from_the_view_of_the_head():
    seen = images(views={"noise": torch.ones(3, 1, 4, 4)})
    asked = denoiser().pose("noise", seen, random())
    assert torch.equal(asked.x_t, PROCESS.add_noise(torch.ones(3, 1, 4, 4), asked.noise, asked.t))


def test_noised_inputs_are_passed_on():
    drawn = Noised(torch.rand(2, 1, 4, 4), torch.tensor([1, 2]))
    assert denoiser().pose("noise", drawn, random()) is drawn


@pytest.mark.parametrize("predicts", ["sample", "v_prediction"])
def test_a_question_carries_the_weight_of_the_network(predicts):
    """Whether it was noised here or came noised."""
    student = denoiser(predicts=predicts)
    asked = student.pose("noise", images(), random())
    again = student.pose("noise", Noised(asked.x_t, asked.t), random())
    for question in (asked, again):
        assert torch.equal(question.weight, student.parametrisation.weight(asked.t))


def test_another_head_is_refused():
    with pytest.raises(RequestError, match='head "label".*only "noise"'):
        denoiser().pose("label", images(), random())


def test_only_a_conditional_network_sees_the_classes():
    x, y = torch.rand(2, 1, 4, 4), torch.tensor([1, 2])
    plain, told = denoiser(), denoiser(told_of=(0, 1, 2))
    assert torch.equal(plain.noise(x, 3, y), plain.noise(x, 3))
    assert torch.allclose(told.noise(x, 3, y) - plain.noise(x, 3), y.view(-1, 1, 1, 1).expand(2, 1, 4, 4).float())
    with pytest.raises(RequestError, match="without class labels"):
        told.noise(x, 3)


def test_a_conditional_diffusers_network_is_told_the_classes():
    from diffusers import UNet2DModel

    unet = UNet2DModel(
        sample_size=4, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8,),
        norm_num_groups=4, down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), num_class_embeds=3,
    )  # fmt: skip
    x, t, y = torch.rand(2, 1, 4, 4), torch.tensor([3, 5]), torch.tensor([0, 2])
    said = denoiser(network=unet, told_of=(0, 1, 2)).noise(x, t, y)
    assert torch.equal(said, unet(x, t, class_labels=y).sample)


def test_a_copy_reads_its_own_process():
    """A teacher moved to another device must not leave its parametrisation behind, nor move the student's."""
    student = denoiser(predicts="v_prediction")
    teacher = copy.deepcopy(student).to("meta")
    assert teacher.parametrisation.process is teacher.process
    assert teacher.noise(torch.rand(2, 1, 4, 4, device="meta"), 3).device.type == "meta"
    assert student.process.power.device.type == "cpu"


def test_a_frozen_denoiser_passes_gradients_on_to_its_input():
    teacher = tiny_denoiser().requires_grad_(False)
    x = torch.randn(2, 1, 8, 8, requires_grad=True)
    teacher.noise(x, 50).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert not teacher.noise(torch.randn(2, 1, 8, 8), 50).requires_grad


def test_layers_behind_a_frozen_first_one_learn():
    """torch 2.13's group norm crashes here unless its input has a gradient."""
    student = tiny_denoiser()
    student.network.conv_in.requires_grad_(False)
    student.noise(torch.randn(2, 1, 8, 8), 50).square().sum().backward()
    assert student.network.conv_out.weight.grad is not None and student.network.conv_in.weight.grad is None
