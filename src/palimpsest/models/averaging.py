"""An exponential average of a student's weights (EMA)."""

import torch
from torch import Tensor, nn


class Average:
    """Keeps θ̄ ← δθ̄ + (1 − δ)θ with δ = min(decay, (1 + n)/(10 + n)) after n updates, so that it forgets the start early.

    A network that holds an average says as its `updates` of how many.
    """

    def __init__(self, student: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: p.detach().clone() for name, p in student.named_parameters()}

    @torch.no_grad()
    def go_on_from(self, network: nn.Module) -> None:
        """Take over the average that a network holds, with its count of updates."""
        self.updates = getattr(network, "updates", 0)
        for name, parameter in network.named_parameters():
            self.weights[name].copy_(parameter)

    @torch.no_grad()
    def update(self, student: nn.Module) -> None:
        """Take in the student's present weights. Nothing is read back from the device."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in student.parameters()], 1 - decay)

    @torch.no_grad()
    def copy_to(self, network: nn.Module) -> nn.Module:
        """Give the averaged weights to `network` and return it."""
        for name, parameter in network.named_parameters():
            parameter.copy_(self.weights[name])
        network.updates = self.updates
        return network

    def state(self) -> dict[str, Tensor]:
        """The average as tensors, for a checkpoint."""
        return {"updates": torch.tensor(self.updates)} | {f"weights.{n}": w for n, w in self.weights.items()}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""
        self.updates = int(state["updates"])
        for name, weight in self.weights.items():
            weight.copy_(state[f"weights.{name}"])
