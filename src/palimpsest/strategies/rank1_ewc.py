"""Elastic weight consolidation with a Fisher information of rank one, for diffusion models."""

from dataclasses import replace

from palimpsest.core.term import Term
from palimpsest.sources import nowhere
from palimpsest.strategies import strategy


@strategy(keeps={"rank1_fisher"}, learners="any")
def rank1_ewc(
    now, past, *, strength: float = 10000.0, fisher_samples: int = 200, beside: str = "generative_distillation"
):
    """Hold the weights along the mean gradient of each past task alone (Wang et al. 2025, arXiv 2509.23593).

    L_k = L_k of `beside`  +  λ · ½ Σ_tasks c (μ · (θ − θ*))²,   μ = E[g],   c = E[(μ · g)²] / ‖μ‖⁴

    strength: λ, how much the old weights matter (published: 10⁴)
    fisher_samples: pictures of a task from whose gradients μ and c are measured when it ends (published: all)
    beside: the strategy whose terms it is added to (published: generative distillation, told of classes: here
        conditional_generative_distillation)
    """
    phase = beside(now, past)  # given as the strategy itself, with its options
    return replace(phase, terms=[*phase.terms, Term(nowhere, past.old_weights, strength)])
