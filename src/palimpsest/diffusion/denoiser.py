"""A denoiser: a network, what it predicts, and the noise that it was taught to see through."""

import sys
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Random
from palimpsest.diffusion.parametrisation import make_parametrisation
from palimpsest.diffusion.process import Process


class Denoiser(nn.Module):
    """A learner that says which noise is in a picture.

    network: called with (x_t, t), or with (x_t, t, y) where it is conditional; answers with a tensor (B, C, H, W) or
        with an object that holds it as `sample`, as diffusers' networks do.
    shape: (C, H, W) of its pictures.
    predicts: what the network says, in diffusers' words: "epsilon", "sample" or "v_prediction".
    clip_range: samplers clamp predicted clean pictures to [−clip_range, clip_range]; None leaves them.
    told_of: the classes that a conditional network may be told of; none of an unconditional one.
    null: the number that a conditional network is told in place of a class where it is to know none; None: it has not
        learnt to go without.  untold: the share of pictures whose class it is not told while it learns, from 0 to 1.
    passes: how many pictures have gone through the network.

    The network's weights are laid out channels last, which is how convolutions are fastest on CPUs and GPUs alike
    (docs/performance.md); pictures may come in any layout.
    """

    head = "noise"
    heads = ("noise",)

    def __init__(
        self,
        network: nn.Module,
        process: Process,
        shape: tuple[int, int, int],
        *,
        predicts: str = "epsilon",
        clip_range: float | None = 1.0,
        told_of: tuple[int, ...] = (),
        null: int | None = None,
        untold: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = channels_last(network)
        self.process = process
        self.parametrisation = make_parametrisation(predicts, process)
        self.shape = tuple(shape)
        self.predicts = predicts
        self.clip_range = clip_range
        self.told_of, self.null, self.untold = tuple(told_of), null, untold
        self.passes = 0

    @property
    def conditional(self) -> bool:
        """Whether it is told of classes."""
        return bool(self.told_of)

    def forward(self, questions: Mapping[str, Noised]) -> dict[str, Tensor]:
        """The noise (B, C, H, W) in each question, by head."""
        return {head: self.noise(asked.x_t, asked.t, asked.y) for head, asked in questions.items()}

    def noise(self, x_t: Tensor, t: Tensor | int, y: Tensor | None = None) -> Tensor:
        """ε float32 (B, C, H, W) in x_t (B, C, H, W), at t int64 (B,) or one level for all.

        y: class numbers int64 (B,), which only a conditional network looks at, and which it must have.
        """
        if self.conditional and y is None:
            raise RequestError(
                "a class-conditional denoiser was asked about pictures without class labels; "
                "give it a source that has labels, or name the classes to sample."
            )
        if not len(x_t):
            return self.nothing(x_t, y)
        t = levels(t, x_t)
        if torch.is_grad_enabled() and not x_t.requires_grad and self.begins_frozen:
            x_t = x_t.detach().requires_grad_()
        said = self.network(x_t, t, y) if self.conditional else self.network(x_t, t)
        self.passes += len(x_t)
        output = said if isinstance(said, Tensor) else said.sample
        # Under autocast the answer is bfloat16, whose 8 bits would be the error of every loss and every sampling step.
        return self.parametrisation.to_noise(output.float(), x_t.float(), t)

    @property
    def begins_frozen(self) -> bool:
        """Whether layers learn behind a first one that does not. Going backward, torch 2.13's group norm (CPU, channels last)
        then crashes unless its own input has a gradient."""
        parameters = self.network.parameters()
        first = next(parameters, None)
        return first is not None and not first.requires_grad and any(other.requires_grad for other in parameters)

    def nothing(self, x_t: Tensor, y: Tensor | None) -> Tensor:
        """The answer about no pictures (0, C, H, W), which attention cannot give by itself. It passes through the network
        all the same, for among many processes each parameter of each one has to take part in the gradient."""
        passes = self.passes
        answer = self.noise(x_t.new_zeros(1, *self.shape), 0, y if y is None else y.new_zeros(1))[:0]
        self.passes = passes
        return answer

    def pose(self, head: str, drawn: Images | Noised, random: Random) -> Noised:
        """What was drawn as a question to `head`: images are noised, and a squared error gets the network's weight."""
        if head not in self.heads:
            raise RequestError(
                f'a denoiser was asked for its head "{head}", and it has only "noise"; '
                "give the term a target that asks for noise: true_noise, past.denoiser.noise."
            )
        noised = self.process.noised(drawn.seen_by(head), random) if isinstance(drawn, Images) else drawn
        if self.untold and noised.y is not None:
            noised = replace(noised, y=torch.where(random.uniform(noised.total) < self.untold, self.null, noised.y))
        weight = self.parametrisation.weight(noised.t)
        return noised if weight is None else replace(noised, weight=weight)


def levels(t: Tensor | int, x: Tensor) -> Tensor:
    """One noise level int64 (B,) for each picture of x (B, ...), on its device, without waiting for the device."""
    if isinstance(t, Tensor):
        return t.to(x.device).expand(len(x))
    return torch.full((len(x),), t, dtype=torch.int64, device=x.device)


def channels_last(network: nn.Module) -> nn.Module:
    """The network itself, its weights laid out channels last; diffusers' blocks in it keep that layout of pictures, too."""
    if "diffusers" in sys.modules:  # else there are none, and importing it takes seconds
        from palimpsest.diffusion.blocks import keep_channels_last

        keep_channels_last(network)
    return network.to(memory_format=torch.channels_last)
