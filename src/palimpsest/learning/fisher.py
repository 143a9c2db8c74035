"""How much each weight matters to a task, from the gradients of its losses on single pictures."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from palimpsest.core.batch import Batch
from palimpsest.core.objective import objective
from palimpsest.core.random import Address
from palimpsest.core.term import Term
from palimpsest.targets.weights import Diagonal, Importance, RankOne


def gradients(learner: nn.Module, term: Term, count: int, address: Address) -> Iterator[list[Tensor]]:
    """The gradient of the term's loss on each of `count` pictures, a tensor a parameter. The learner is asked as it is."""
    learner.requires_grad_(True)
    device = next(learner.parameters()).device
    for number in range(count):
        loss, _ = objective([term], learner, Batch(1, number, (*address, "fisher", number), device))
        yield list(torch.autograd.grad(loss, list(learner.parameters()), allow_unused=True, materialize_grads=True))


def anchor(learner: nn.Module) -> dict[str, Tensor]:
    """The weights as they are."""
    return {name: parameter.detach().clone() for name, parameter in learner.named_parameters()}


def diagonal(learner: nn.Module, term: Term, count: int, address: Address) -> Diagonal:
    """F = E[g²] over `count` single pictures: the diagonal of the empirical Fisher information (Kirkpatrick et al. 2017, eq. 3).

    term: real data and its truth.  count: from 1; each takes a forward and a backward pass.
    """
    squares = [torch.zeros_like(parameter) for parameter in learner.parameters()]
    for gradient in gradients(learner, term, count, address):
        torch._foreach_addcmul_(squares, gradient, gradient, 1 / count)
    names = [name for name, _ in learner.named_parameters()]
    device = squares[0].device
    return Diagonal(dict(zip(names, squares, strict=True)), anchor(learner), torch.zeros((), device=device))


def rank_one(learner: nn.Module, term: Term, count: int, address: Address) -> RankOne:
    """μ = E[g], c = E[(μ · g)²] / ‖μ‖⁴, in two passes over the same `count` pictures with the same noise (arXiv 2509.23593)."""
    mean = [torch.zeros_like(parameter) for parameter in learner.parameters()]
    for gradient in gradients(learner, term, count, address):
        torch._foreach_add_(mean, gradient, alpha=1 / count)
    along = [inner(mean, gradient).square() for gradient in gradients(learner, term, count, address)]
    constant = torch.stack(along).mean() / inner(mean, mean).square().clamp(min=torch.finfo(torch.float32).tiny)
    names = [name for name, _ in learner.named_parameters()]
    return RankOne(dict(zip(names, mean, strict=True)), anchor(learner), constant)


def inner(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """The inner product of two vectors that are as long as the weights."""
    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)]).sum()


MEASURES: dict[str, tuple[Callable[..., Importance], int]] = {"fisher": (diagonal, 1), "rank1_fisher": (rank_one, 2)}
