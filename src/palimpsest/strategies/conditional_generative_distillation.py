"""Generative distillation for a generator that is told of classes: dreams are of the class that was asked for."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import true_noise


@strategy(keeps={"teacher"}, learners=("conditional_denoiser",))
def conditional_generative_distillation(
    now,
    past,
    *,
    guidance: float = 1.0,
    teacher_steps: int = 10,
    teacher_sampler: str = "ddim",
    strength: float = 0.75,
    reuse: int = 1,
):
    """Distil the previous model on what it dreams of each old class (after Masip et al. 2023, arXiv 2311.14028).

    L_k = 1/k · E_data ‖ε − ε_θ(·, y)‖²  +  λ (1 − 1/k) · E_{y, dreams of y} ‖ε_teacher(·, y) − ε_θ(·, y)‖²

    Each old class is asked for as often as the others, so that none fades because it was dreamt of less, and no dream is
    thrown away. The teacher's opinion is asked with the same class, without guidance; or without one, where the student goes
    without (diffusion.untold).

    guidance: s, how many times what a class adds to the noise counts in dreams, ε(∅) + s (ε(y) − ε(∅)) (Ho, Salimans 2022,
        arXiv 2207.12598); 1: as the teacher has learnt it; others need diffusion.untold and two passes a step
    teacher_steps: N, sampling steps of a dream
    teacher_sampler: how the previous model dreams
    strength: λ, how much the previous model's opinion matters
    reuse: how often each dream is used, every time with fresh noise
    """
    dreams = past.dreams(teacher_steps, teacher_sampler, reuse, past.without_classifier(guidance))
    return Phase(
        "conditional_denoiser",
        [
            Term(now.data, true_noise, now.new),
            Term(dreams, past.denoiser.noise, strength * now.old),
        ],
    )
