"""Dark replay: a few remembered pictures, and what the previous model says about them."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import true_noise


@strategy(keeps={"teacher", "memory"}, learners=("denoiser",))
def dark_replay(now, past, *, memory_size: int = 100, strength: float = 1.0):
    """Distil the previous model on a few remembered pictures (after DER, Buzzega et al. 2020, here for denoisers).

    L_k = 1/k · E_data ‖ε − ε_θ‖²  +  λ (1 − 1/k) · E_memory ‖ε_teacher − ε_θ‖²

    Nobody has published this for diffusion models, so its defaults are ours.

    memory_size: pictures kept in all, an equal share for each past task
    strength: λ, how much the previous model's opinion matters
    """
    return Phase(
        "denoiser",
        [
            Term(now.data, true_noise, now.new),
            Term(past.memory, past.denoiser.noise, strength * now.old),
        ],
    )
