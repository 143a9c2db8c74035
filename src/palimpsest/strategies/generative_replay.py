"""Generative replay: dreams of the previous model, noised and learnt like data."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import true_noise


@strategy(keeps={"teacher"}, learners=("denoiser",))
def generative_replay(
    now, past, *, teacher_steps: int = 2, teacher_sampler: str = "ddim", strength: float = 1.0, reuse: int = 1
):
    """Replay samples of the previous model as if they were data (Shin et al. 2017, for diffusion in arXiv 2311.14028).

    L_k = 1/k · E_data ‖ε − ε_θ‖²  +  λ (1 − 1/k) · E_dreams ‖ε − ε_θ‖²

    teacher_steps: N, sampling steps of a dream (published: 2 for Fashion-MNIST, 10 for CIFAR-10)
    teacher_sampler: how the previous model dreams
    strength: λ, how much the dreams matter
    reuse: how often each dream is used, every time with fresh noise (published: 1)
    """
    return Phase(
        "denoiser",
        [
            Term(now.data, true_noise, now.new),
            Term(past.dreams(teacher_steps, teacher_sampler, reuse), true_noise, strength * now.old),
        ],
    )
