"""The last layer of a classifier whose classes arrive one after another."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class CosineHead(nn.Module):
    """Logits η · cos(θ_c, f): how much features point into the direction of a class (Hou et al. 2019, LUCIR, section 3.2).

    Rows of the classes that arrived last are parameters apart from those of the classes before, so that the old ones can be
    kept as they are. η, the scale, begins with 1 and is learnt.

    proxies: P, rows of each class. Where there are several, a class has the mean of its rows' cosines, each weighted by the softmax
        of them: Σ_p softmax_p(s_c) s_cp with s_cp = cos(θ_cp, f) (Douillard et al. 2020, PODNet: local similarity classifier).
    """

    def __init__(self, width: int, classes: int, proxies: int = 1) -> None:
        super().__init__()
        self.in_features, self.proxies = width, proxies
        shape = (classes, width) if proxies == 1 else (classes, proxies, width)
        rows = torch.empty(shape).uniform_(-(width**-0.5), width**-0.5)
        self.old, self.new = nn.Parameter(rows.clone()), nn.Parameter(rows)
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("is_new", torch.zeros(classes, dtype=torch.bool))

    @property
    def weight(self) -> Tensor:
        """θ, a row of each class: (classes, D), or its rows (classes, P, D)."""
        return torch.where(self.is_new.view(-1, *[1] * (self.old.ndim - 1)), self.new, self.old)

    def cosines(self, features: Tensor) -> Tensor:
        """cos(θ_c, f) in [−1, 1], (B, classes), of features (B, D)."""
        with torch.autocast(features.device.type, enabled=False):  # an error of a cosine counts η times
            rows = functional.normalize(self.weight.float(), dim=-1).flatten(0, -2)
            near = functional.normalize(features.float(), dim=1) @ rows.T
        if self.proxies == 1:
            return near
        near = near.unflatten(1, (-1, self.proxies))
        return (near.softmax(-1) * near).sum(-1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, classes)."""
        return self.scale * self.cosines(features)

    @torch.no_grad()
    def meet(self, classes: Sequence[int]) -> None:
        """Classes arrive: what was new becomes old."""
        self.old.copy_(self.weight)
        self.is_new.zero_()
        self.is_new[list(classes)] = True

    @torch.no_grad()
    def imprint(self, directions: Tensor, before: Sequence[int]) -> None:
        """Give the new classes rows of these directions (their number, D), as long as those of the classes `before` are on average.

        With proxies (their number, P, D). Their order is that of the class numbers. Hou et al. 2019, code; after Qi et al. 2018,
        arXiv 1712.07136.
        """
        length = self.old[list(before)].norm(dim=-1).mean()
        self.new[self.is_new] = functional.normalize(directions, dim=-1) * length


class Known(nn.Module):
    """Which classes have arrived. Others have the logit −∞, so that neither a loss nor a prediction knows of them.

    This is a head that grows: the row of a class that has not arrived gets no gradient, and begins anew when it arrives.
    """

    def __init__(self, head: nn.Module, classes: int) -> None:
        super().__init__()
        self.register_buffer("arrived", torch.zeros(classes, dtype=torch.bool))
        for name, rows in head.named_parameters():
            if rows.ndim:
                self.register_buffer(f"initial_{name}", rows.detach().clone(), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Logits (B, classes) of those that have arrived."""
        return logits.masked_fill(~self.arrived, -torch.inf)

    @property
    def classes(self) -> tuple[int, ...]:
        """Those that have arrived, sorted. Asks the device."""
        return tuple(self.arrived.nonzero().flatten().tolist())

    @torch.no_grad()
    def meet(self, head: nn.Module, classes: Sequence[int]) -> bool:
        """Classes arrive, with the rows that they began with; whether any of them had not arrived before.

        Classes that have all arrived change nothing, for a task that is resumed meets its own again; none at all are a round,
        in which every class is an old one.
        """
        numbers = [number for number in classes if not self.arrived[number]]
        if isinstance(head, CosineHead) and (numbers or not classes):
            head.meet(numbers)
        if not numbers:
            return False
        self.arrived[numbers] = True
        for name, rows in head.named_parameters():
            if rows.ndim and name != "old":
                rows[numbers] = getattr(self, f"initial_{name}")[numbers]
        return True
