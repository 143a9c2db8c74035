"""One U-Net that imagines and classifies: the joint diffusion model (Deja et al. 2023, arXiv 2301.13622; JDCL, 2411.08224)."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Random, seed_of
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.process import Process
from palimpsest.models.cnn import CNN
from palimpsest.models.options import JointOptions
from palimpsest.models.resnet import resnet18

STEM = "joint_head"
SLOPE = 0.2  # of the head's LeakyReLU, as published


class Joint(nn.Module):
    """A learner with two heads over one U-Net: the noise in noised pictures, and the class of clean ones.

    p(x, y) = p(y | x) p(x): the class is read from the averages over places of every feature map of the way down and of the
    middle, in one pass of that half alone over the clean picture at noise level 0. Nothing conditions the generator.

    denoiser: the U-Net and its process.  options: of the head.  classes: names of all the stream's.
    passes: pictures that have gone through the network; one through its first half counts for that half's operations.
    """

    head = "logits"
    heads = ("noise", "logits")

    def __init__(self, denoiser: Denoiser, options: JointOptions, classes: Sequence[str]) -> None:
        super().__init__()
        self.denoiser, self.options, self.classes = denoiser, options, tuple(classes)
        self.classify = make_classifying(options, denoiser, len(self.classes))
        self.looked = 0

    @property
    def apart(self) -> bool:
        """Whether the class is read by a network of its own, and not from the U-Net: the paper's ablation."""
        return self.options.body != "shared"

    @property
    def class_weight(self) -> float:
        """What its class matters beside its noise; as much where a network apart classifies, for neither is in the other's way."""
        return 1.0 if self.apart else self.options.class_weight

    @property
    def network(self) -> nn.Module:
        """The U-Net."""
        return self.denoiser.network

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of its pictures."""
        return self.denoiser.shape

    @property
    def process(self) -> Process:
        """The noise that it was taught to see through."""
        return self.denoiser.process

    @property
    def clip_range(self) -> float | None:
        """As the denoiser's."""
        return self.denoiser.clip_range

    @property
    def conditional(self) -> bool:
        """False: it dreams without being told of what."""
        return self.denoiser.conditional

    @property
    def passes(self) -> float:
        """Pictures that it has been asked about, in passes through the whole U-Net."""
        return self.denoiser.passes + self.looked * self.share_of_looking if self.looked else self.denoiser.passes

    @passes.setter
    def passes(self, count: float) -> None:
        self.denoiser.passes, self.looked = count, 0

    @cached_property
    def share_of_looking(self) -> float:
        """Operations of a look at a clean picture, of those of a pass through the whole U-Net."""
        with torch.device("meta"):
            network = type(self.network).from_config(self.network.config)
            classify = make_classifying(self.options, self.denoiser, len(self.classes)).eval()
        x, t = torch.zeros(1, *self.shape, device="meta"), torch.zeros(1, dtype=torch.int64, device="meta")
        counts = []
        for pass_ in (lambda: self.seen(network, classify, x), lambda: network(x, t)):
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                pass_()
            counts.append(counter.get_total_flops())
        return counts[0] / counts[1]

    def forward(self, questions: Mapping[str, Images | Noised]) -> dict[str, Tensor]:
        """The answers (B, ...) by head, each by a pass of its own."""
        said = {}
        if "noise" in questions:
            said["noise"] = self.noise(questions["noise"].x_t, questions["noise"].t)
        if "logits" in questions:
            said["logits"] = self.logits(questions["logits"].x)
        return said

    def noise(self, x_t: Tensor, t: Tensor | int, y: Tensor | None = None) -> Tensor:
        """As `Denoiser.noise`; classes y are not looked at."""
        return self.denoiser.noise(x_t, t)

    def logits(self, x: Tensor) -> Tensor:
        """Logits float32 (B, classes) of pictures (B, C, H, W) in [−1, 1]; B may be 0."""
        if not len(x):  # through the network all the same, see `Denoiser.nothing`
            return self.seen(self.network, self.classify, x.new_zeros(1, *self.shape))[:0].float()
        self.looked += len(x)
        return self.seen(self.network, self.classify, x).float()

    def seen(self, network: nn.Module, classify: nn.Module, x: Tensor) -> Tensor:
        """Logits (B, classes) of pictures, by such a U-Net and such a classifying part."""
        return classify(x if self.apart else features(network, x))

    def pose(self, head: str, drawn: Images | Noised, random: Random) -> Images | Noised:
        """What was drawn as a question to `head`: noised for one, the clean view for the other."""
        if head == "noise":
            return self.denoiser.pose(head, drawn, random)
        if head != "logits" or isinstance(drawn, Noised):
            raise RequestError(
                f'a joint model was asked for its head "{head}" about {type(drawn).__name__.lower()} inputs; it has "noise" for '
                'images and noised ones, and "logits" for images alone. Give the term a source of images: now.data, a pool.'
            )
        return drawn.seen_by(head)


def encoder_maps(network: nn.Module, x: Tensor, t: Tensor) -> list[Tensor]:
    """Every feature map (B, channels, h, w) of a `UNet2DModel`'s way down, its first convolution's included, and of its middle.

    It is the first half of the network's own forward, and gives what that gives, bit for bit. t: int64 (B,).
    """
    embedding = network.time_embedding(network.time_proj(t).to(network.dtype))
    x = network.conv_in(x)
    maps = [x]
    for block in network.down_blocks:
        x, found = block(hidden_states=x, temb=embedding)
        maps += found
    return [*maps, network.mid_block(x, embedding)]


def can_be_looked_into(network: nn.Module) -> bool:
    """Whether `encoder_maps` goes the way that the network goes, but for the class that it is told.

    A `UNet2DModel` with a middle, without skips of the input and centring of it, and with an embedding of level 0 (Fourier's has none).
    """
    from diffusers import UNet2DModel  # takes seconds

    usual = isinstance(network, UNet2DModel) and network.mid_block is not None
    if not usual or network.config.center_input_sample or network.config.time_embedding_type == "fourier":
        return False
    return not any(hasattr(block, "skip_conv") for block in network.down_blocks)


def features(network: nn.Module, x: Tensor) -> Tensor:
    """The averages over places of all of `encoder_maps`, (B, width), of clean pictures (B, C, H, W)."""
    t = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    return torch.cat([found.mean((2, 3)) for found in encoder_maps(network, x, t)], 1)


def make_classifying(options: JointOptions, denoiser: Denoiser, classes: int) -> nn.Module:
    """The head of 2411.08224 over a U-Net's features, or a classifier by itself, which its ablation compares with."""
    if options.body == "cnn":
        return CNN(denoiser.shape, classes)
    if options.body == "resnet18":
        return resnet18(classes)
    return nn.Sequential(
        nn.Linear(feature_width(denoiser.network), options.head_width),
        nn.LeakyReLU(SLOPE),
        nn.Dropout(options.head_dropout),
        nn.Linear(options.head_width, classes),
    )


def feature_width(network: nn.Module) -> int:
    """How many channels `encoder_maps` gives in all (published: 3,712 for CIFAR, 5,568 for ImageNet-100)."""
    config = network.config
    widths, layers = config.block_out_channels, config.layers_per_block
    last = len(widths) - 1
    levels = (width * (layers + (level < last)) for level, width in enumerate(widths))
    return widths[0] + sum(levels) + widths[-1]


def build_joint(denoiser: Denoiser, options: JointOptions, classes: Sequence[str], seed: int) -> Joint:
    """A joint model around a denoiser, with initial weights of the head from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "joint head", "initial weights"))
        return Joint(denoiser, options, classes)


def save_head(joint: Joint, folder: Path) -> None:
    """Write the head beside its U-Net's pipeline: joint_head.safetensors, and joint_head.json."""
    made = {"options": joint.options.model_dump(), "class_names": joint.classes}
    weights = {name: value.contiguous() for name, value in joint.classify.state_dict().items()}
    save_file(weights, folder / f"{STEM}.safetensors")
    (folder / f"{STEM}.json").write_text(json.dumps(made, indent=2), encoding="utf-8")


def with_head(denoiser: Denoiser, folder: Path) -> Joint | None:
    """The joint model whose head `save_head` wrote beside the denoiser, in evaluation mode; None where there is none."""
    record = folder / f"{STEM}.json"
    if not record.exists():
        return None
    try:
        made = json.loads(record.read_text(encoding="utf-8"))
        joint = build_joint(denoiser, JointOptions(**made["options"]), made["class_names"], 0)
        joint.classify.load_state_dict(load_file(folder / f"{STEM}.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise RequestError(f"the head in {folder} cannot be opened: {str(error).splitlines()[0]}") from error
    return joint.eval().requires_grad_(False)
