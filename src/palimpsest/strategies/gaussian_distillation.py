"""Gaussian-noise distillation: what the previous model says about pure noise."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import true_noise


@strategy(keeps={"teacher"}, learners=("denoiser",))
def gaussian_distillation(now, past, *, strength: float = 8.0):
    """Distil the previous model on pure noise, claimed to be at any noise level (baseline of arXiv 2311.14028).

    L_k = 1/k · E_data ‖ε − ε_θ‖²  +  λ (1 − 1/k) · E_gaussian ‖ε_teacher − ε_θ‖²

    strength: λ, how much the previous model's opinion matters
    """
    return Phase(
        "denoiser",
        [
            Term(now.data, true_noise, now.new),
            Term(now.gaussian, past.denoiser.noise, strength * now.old),
        ],
    )
