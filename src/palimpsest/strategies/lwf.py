"""Learning without forgetting: what the previous model says about the present data."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy


@strategy(keeps={"teacher"}, learners="any")
def lwf(now, past, *, strength: float = 1.25):
    """Distil the previous model on the present task's data (Li & Hoiem 2016; for diffusion in arXiv 2311.14028).

    L_k = 1/k · E_data d(truth, f_θ)  +  λ (1 − 1/k) · E_data d(f_teacher, f_θ)

    Both terms are asked about the same noised pictures, so that the student answers once.

    strength: λ, how much the previous model's opinion matters
    """
    return Phase(
        now.learner,
        [
            Term(now.data, now.truth, now.new),
            Term(now.data, past.answer, strength * now.old),
        ],
    )
