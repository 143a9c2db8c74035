"""Generative distillation: dreams of the previous model, and what it says about them."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import true_noise


@strategy(keeps={"teacher"}, learners=("denoiser",))
def generative_distillation(
    now, past, *, teacher_steps: int = 2, teacher_sampler: str = "ddim", strength: float = 0.75, reuse: int = 1
):
    """Distil the previous model on its own noised samples (Masip et al. 2023, arXiv 2311.14028, algorithm 1).

    L_k = 1/k · E_data ‖ε − ε_θ‖²  +  λ (1 − 1/k) · E_dreams ‖ε_teacher − ε_θ‖²

    teacher_steps: N, sampling steps of a dream (published: 2 for Fashion-MNIST, 10 for CIFAR-10)
    teacher_sampler: how the previous model dreams
    strength: λ, how much the previous model's opinion matters
    reuse: how often each dream is used, every time with fresh noise (published: 1)
    """
    return Phase(
        "denoiser",
        [
            Term(now.data, true_noise, now.new),
            Term(past.dreams(teacher_steps, teacher_sampler, reuse), past.denoiser.noise, strength * now.old),
        ],
    )
