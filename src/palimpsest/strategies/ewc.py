"""Elastic weight consolidation: weights that mattered to past tasks are held near what they were."""

from dataclasses import replace

from palimpsest.core.term import Term
from palimpsest.sources import nowhere
from palimpsest.strategies import strategy


@strategy(keeps={"fisher"}, learners="any")
def ewc(now, past, *, strength: float = 100.0, fisher_samples: int = 200, beside: str = "finetune"):
    """Hold each weight by the diagonal Fisher information of past tasks (Kirkpatrick et al. 2017, arXiv 1612.00796).

    L_k = L_k of `beside`  +  λ · ½ Σ_tasks Σ_i F_i (θ_i − θ*_i)²

    strength: λ, how much the old weights matter
    fisher_samples: pictures of a task from whose gradients, one by one, F is measured when it ends
    beside: the strategy whose terms it is added to: finetune, generative_replay, generative_distillation, ...
    """
    phase = beside(now, past)  # given as the strategy itself, with its options
    return replace(phase, terms=[*phase.terms, Term(nowhere, past.old_weights, strength)])
