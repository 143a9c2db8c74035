"""A generator of features and its critic: generative feature replay (Liu et al. 2020, arXiv 2004.09199)."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Random, seed_of
from palimpsest.models.options import FeatureGANOptions

SLOPE = 0.2  # of LeakyReLU


class FeatureGAN(nn.Module):
    """A learner that makes features of a class out of a code: a conditional WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028).

    Its heads: "critic" and "generator", asked about real features (B, D) with their classes, answer with the loss of each sample,
    and "made", asked about codes (B, `codes`) with classes, answers with features.

    critic:     D(G(z, y), y) − D(f, y) + λ (‖∇ D(f̂, y)‖ − 1)²,   f̂ = e f + (1 − e) G(z, y), e uniform in [0, 1)
    generator:  −D(G(z, y), y)

    Neither loss changes the other's network. passes: always 0, for no picture goes through it.
    """

    head = "made"
    heads = ("critic", "generator", "made")
    passes = 0

    def __init__(self, options: FeatureGANOptions, width: int, classes: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.options, self.width, self.classes, self.shape = options, width, classes, tuple(shape)
        self.generator = nn.Sequential(
            *layers(options.codes + classes, options.hidden), nn.Linear(options.hidden, width), nn.Softplus()
        )
        self.critic = nn.Sequential(*layers(width + classes, options.hidden), nn.Linear(options.hidden, 1))

    def forward(self, questions: Mapping[str, Images]) -> dict[str, Tensor]:
        """The answers by head, float32: a loss for each sample (B,), or features (B, D)."""
        said: dict[str, Tensor] = {}
        if "made" in questions:
            said["made"] = self.make(questions["made"].x, questions["made"].y)
        if "critic" in questions:
            said["critic"] = self.criticism(questions["critic"])
        if "generator" in questions:
            asked = questions["generator"]
            frozen = {name: weight.detach() for name, weight in self.critic.named_parameters()}
            made = self.make(asked.views["codes"], asked.y)
            said["generator"] = -functional_call(self.critic, frozen, (self.with_class(made, asked.y),))[:, 0].float()
        return said

    def make(self, codes: Tensor, y: Tensor) -> Tensor:
        """Features (B, D), above 0 as a classifier's are not below it, from standard normal codes (B, `codes`) and classes int64 (B,)."""
        return self.generator(self.with_class(codes, y)).float()

    def criticism(self, asked: Images) -> Tensor:
        """The critic's loss (B,) of real features."""
        with torch.no_grad():
            made = self.make(asked.views["codes"], asked.y)
        share = asked.views["shares"][:, None]
        real, false = (self.critic(self.with_class(each, asked.y))[:, 0].float() for each in (asked.x, made))
        return false - real + self.options.penalty * self.penalty(share * asked.x + (1 - share) * made, asked.y)

    def penalty(self, between: Tensor, y: Tensor) -> Tensor:
        """(‖∇ D‖ − 1)² of each sample, (B,)."""
        with torch.enable_grad():
            between = between.detach().requires_grad_()
            value = self.critic(self.with_class(between, y)).sum()
            (gradient,) = torch.autograd.grad(value, between, create_graph=True)
        return (gradient.norm(dim=1) - 1).square()

    def with_class(self, x: Tensor, y: Tensor) -> Tensor:
        """Rows beside their class, one-hot."""
        return torch.cat([x, torch.eye(self.classes, dtype=x.dtype, device=x.device)[y]], 1)

    def pose(self, head: str, drawn: Images | Noised, random: Random) -> Images:
        """What was drawn as a question to `head`: features with codes, and with shares that lie between real and made."""
        if head not in self.heads or isinstance(drawn, Noised):
            raise RequestError(
                f'a generator of features was asked for its head "{head}"; it has {", ".join(self.heads)}, about features or codes.'
            )
        if head == "made":
            return drawn
        codes = random.normal(drawn.total, self.options.codes)
        return replace(drawn, views={"codes": codes, "shares": random.uniform(drawn.total)})


def layers(inputs: int, hidden: int) -> list[nn.Module]:
    """Two hidden layers."""
    return [nn.Linear(inputs, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, hidden), nn.LeakyReLU(SLOPE)]


def build_feature_gan(
    options: FeatureGANOptions, width: int, classes: int, shape: tuple[int, int, int], seed: int
) -> FeatureGAN:
    """An untrained generator of `width` features of so many classes of pictures of `shape`, with initial weights from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "feature gan", "initial weights"))
        return FeatureGAN(options, width, classes, shape)
