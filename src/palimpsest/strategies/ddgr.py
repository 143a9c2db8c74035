"""DDGR: the previous classifier guides what the previous generator dreams, and both learn from it."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import Label, true_noise


@strategy(keeps={"teacher"}, learners=("conditional_denoiser", "classifier"))
def ddgr(
    now,
    past,
    *,
    guidance: float = 1.0,
    teacher_steps: int = 250,
    teacher_sampler: str = "ddim",
    strength: float = 1.0,
    reuse: int = 1,
):
    """Replay classes as the previous classifier sees them (Gao, Liu 2023, "Deep diffusion-based generative replay").

    L_k = 1/k · E_data CE(y, f_θ)  +  λ (1 − 1/k) · E_dreams CE(y, f_θ),   then the generator, alike, with ‖ε − ε_θ(·, y)‖²; CE among
    the classes seen

    Dreams follow ε − s √(1 − ᾱ_t) ∇ ln f(y | x_t): the classifier looks at x_t itself, as the published code has it, though it
    has learnt from clean pictures. The weights 1/k and 1 − 1/k are ours, as in all replay here: a published step takes a
    batch of each, which counts ½. Published beside it: a fixed set of 20 dreams a class, and early stopping.

    guidance: s, how much the previous classifier bends what is dreamt (published: 1); not where √ᾱ_t ≤ 0.02
    teacher_steps: sampling steps of a dream (published: 250)
    teacher_sampler: how the previous generator dreams
    strength: λ, how much dreams matter
    reuse: how often each dream is used
    """
    dreams = past.dreams(teacher_steps, teacher_sampler, reuse, past.by_classifier(guidance))
    label = Label((*past.classes, *now.classes))
    for learner, target in (("classifier", label), ("conditional_denoiser", true_noise)):
        yield Phase(learner, [Term(now.data, target, now.new), Term(dreams, target, strength * now.old)])
