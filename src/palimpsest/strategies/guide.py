"""GUIDE: the classifier in training bends what is replayed to it towards what it learns."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import Label, true_noise


@strategy(keeps={"teacher"}, learners=("conditional_denoiser", "classifier"))
def guide(
    now,
    past,
    *,
    guidance: float = 0.5,
    guided_steps: int = 50,
    refresh: int = 5,
    teacher_steps: int = 250,
    teacher_sampler: str = "ddim",
    strength: float = 1.0,
    reuse: int = 1,
    per_class: int = 0,
    guided_sampler: str = "ddim",
):
    """Replay old classes from their border with the new ones (Cywiński et al. 2024, arXiv 2403.03938).

    L_k = 1/k · E_data CE(y, f_θ)  +  λ (1 − 1/k) · E_dreams CE(y, f_θ),   CE among the classes seen

    Dreams of an old class y follow ε − s √(1 − ᾱ_t) ∇ ln f_θ(y′ | x̂₀), where f_θ is the classifier in training and y′ at each
    step the new class that it takes for the likeliest; they keep the label y. The generator learns before it, from plain
    dreams of its former self, as in dgr_diffusion. Ours: x̂₀ is clamped as in sampling (diffusion.clip), so that
    pixels beyond have no gradient, and nothing is bent in the noisiest steps, √ᾱ_t ≤ 0.02.

    guidance: s (published: 0.2 for two tasks of CIFAR-10, 0.5 for five, 1 for ten of CIFAR-100; 0: plain dreams)
    guided_steps: sampling steps of a dream for the classifier (published: 50; CIFAR-100: 100)
    refresh: classifier steps that a batch of dreams is used (published: 1 to 15, by data set)
    teacher_steps: sampling steps of a dream for the generator (published: 1000 of DDPM; DDIM-250 for ImageNet-100)
    teacher_sampler: how the previous generator dreams for the generator
    strength: λ, how much dreams matter
    reuse: how often each dream for the generator is used
    per_class: dreams of each old class for the generator, which are dreamt once before it learns (published: 5000 for five tasks of
        CIFAR-10, 500 for CIFAR-100, 1300 for ImageNet-100); 0: new ones as it goes
    guided_sampler: how the previous generator dreams for the classifier (published: ddim)
    """
    dreams = past.dreamt(per_class, teacher_steps, teacher_sampler, reuse)
    yield Phase(
        "conditional_denoiser", [Term(now.data, true_noise, now.new), Term(dreams, true_noise, strength * now.old)]
    )
    near = past.border(guided_steps, guided_sampler, guidance, now.learners["classifier"], now.classes, refresh)
    label = Label((*past.classes, *now.classes))
    yield Phase("classifier", [Term(now.data, label, now.new), Term(near, label, strength * now.old)])
