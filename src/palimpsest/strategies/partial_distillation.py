"""Partial distillation: what the previous model says about its dreams before they are finished."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import true_noise


@strategy(keeps={"teacher"}, learners=("denoiser",))
def partial_distillation(now, past, *, teacher_steps: int = 2, strength: float = 1.0):
    """Distil the previous model on samples that it stopped denoising half-way (published code of arXiv 2311.14028).

    L_k = 1/k · E_data ‖ε − ε_θ‖²  +  λ (1 − 1/k) · E_halfway ‖ε_teacher − ε_θ‖²

    The method is in the authors' code and not in their paper, so its defaults are ours (their scripts try λ of 1 to 8).

    teacher_steps: N, DDIM steps from pure noise down to the noise level where a sample stops
    strength: λ, how much the previous model's opinion matters
    """
    return Phase(
        "denoiser",
        [
            Term(now.data, true_noise, now.new),
            Term(past.halfway(teacher_steps), past.denoiser.noise, strength * now.old),
        ],
    )
