"""A classifier's network that grows: one backbone beside the other, and one last layer over what all of them see."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class WideHead(nn.Module):
    """Logits z_c = Σ_b θ_bc · f_b + β_c of the features of one backbone or several, b of them.

    The columns of each backbone are parameters apart. Beside it stands a layer of the newest backbone's features alone: a logit of
    each class, and a last one of a class that is none of those it is asked about.

    width: D of each backbone.  rooms: most backbones.
    """

    def __init__(self, width: int, classes: int, rooms: int) -> None:
        super().__init__()
        self.in_features = width

        def rows(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-(width**-0.5), width**-0.5))

        for room in range(rooms):
            self.register_parameter(f"columns_{room}", rows(classes, width))
        self.bias = rows(classes)
        self.own_weight, self.own_bias = rows(classes + 1, width), rows(classes + 1)
        for name in ("own_weight", "own_bias"):
            self.register_buffer(f"first_{name}", getattr(self, name).detach().clone(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, classes) of features (B, b · D)."""
        count = features.shape[1] // self.in_features
        weight = torch.cat([getattr(self, f"columns_{room}") for room in range(count)], dim=1)
        return functional.linear(features, weight, self.bias)

    def own(self, features: Tensor) -> Tensor:
        """Logits (B, classes + 1) of what the newest backbone alone sees, of features (B, b · D)."""
        return functional.linear(features[:, -self.in_features :], self.own_weight, self.own_bias)

    @torch.no_grad()
    def renew(self) -> None:
        """The layer of the newest backbone begins anew."""
        self.own_weight.copy_(self.first_own_weight)
        self.own_bias.copy_(self.first_own_bias)


class Expanding(nn.Module):
    """Up to `rooms` backbones side by side, of which those that have not come are not asked.

    The newest learns. Those before it stay in evaluation mode, so that their batch statistics do not move; that their weights do not,
    is for a phase to say. There is room for all of them from the start, so that a checkpoint has the same tensors at any time.

    build: makes a network with `features` and a `head`, of which the head is left out.
    """

    def __init__(self, build: Callable[[], nn.Module], classes: int, rooms: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(build() for _ in range(rooms))
        self.head = WideHead(self.branches[0].head.in_features, classes, rooms)
        for branch in self.branches:
            branch.head = nn.Identity()
        self.count = 1  # the same number, on the host
        self.register_buffer("backbones", torch.tensor(1))

    @property
    def forwards(self) -> float:
        """What a picture costs, in passes through one backbone; those that do not learn go forward only, a third of a pass."""
        return 1 + (self.count - 1) / 3 if self.training else self.count

    @property
    def older(self) -> tuple[str, ...]:
        """Patterns of the names of the parameters of all backbones but the newest."""
        return tuple(f"branches.{number}.*" for number in range(self.count - 1))

    def expand(self) -> None:
        """One more backbone, which begins as a copy of the one before it; nothing where there is no room."""
        if self.count == len(self.branches):
            return
        self.branches[self.count].load_state_dict(self.branches[self.count - 1].state_dict())
        self.head.renew()
        self.count += 1
        self.backbones.fill_(self.count)
        self.train(self.training)

    def features(self, x: Tensor) -> Tensor:
        """What each backbone sees in pictures (B, C, H, W), side by side: (B, count · D)."""
        return torch.cat([branch.features(x) for branch in self.branches[: self.count]], dim=1)

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, classes) from features."""
        return self.head(features)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes)."""
        return self.classify(self.features(x))

    def train(self, mode: bool = True) -> "Expanding":
        """The newest backbone alone learns from its batches."""
        super().train(mode)
        for branch in self.branches[: self.count - 1]:
            branch.eval()
        return self

    def is_idle(self, name: str) -> bool:
        """Whether a tensor of its state belongs to a backbone that has not come."""
        rooms = range(self.count, len(self.branches))
        return any(name.startswith((f"branches.{room}.", f"head.columns_{room}")) for room in rooms)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *others: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *others)
        self.count = int(self.backbones)
        self.train(self.training)
