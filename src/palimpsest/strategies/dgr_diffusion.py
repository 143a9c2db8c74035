"""Deep generative replay with a diffusion model that is told of classes, and a classifier that learns from its dreams."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import Label, true_noise


@strategy(keeps={"teacher"}, learners=("conditional_denoiser", "classifier"))
def dgr_diffusion(
    now,
    past,
    *,
    teacher_steps: int = 250,
    teacher_sampler: str = "ddim",
    strength: float = 1.0,
    reuse: int = 1,
    per_class: int = 0,
):
    """Replay what the previous generator dreams of each old class, labelled by what it was asked for (Shin et al. 2017).

    L_k = 1/k · E_data ‖ε − ε_θ(·, y)‖²  +  λ (1 − 1/k) · E_dreams ‖ε − ε_θ(·, y)‖²,   then the classifier, alike, with CE
    among the classes seen

    As the tables of GUIDE (arXiv 2403.03938) and JDCL (2411.08224) have it: a class-conditional generator without guidance,
    which is also the first phase of GUIDE. Both learn from dreams of the previous task's generator; in GUIDE's code the classifier's
    are drawn as it learns, by DDIM-50, which is `guide` with guidance = 0.

    teacher_steps: sampling steps of a dream (published: 1000 of DDPM; DDIM-250 for ImageNet-100)
    teacher_sampler: how the previous generator dreams
    strength: λ, how much dreams matter
    reuse: how often each dream is used
    per_class: dreams of each old class, which are dreamt once before each of both learns (published for the generator: 5000 for five
        tasks of CIFAR-10, 500 for CIFAR-100, 1300 for ImageNet-100); 0: new ones as it goes
    """
    label = Label((*past.classes, *now.classes))
    for learner, target in (("conditional_denoiser", true_noise), ("classifier", label)):
        dreams = past.dreamt(per_class, teacher_steps, teacher_sampler, reuse)
        yield Phase(learner, [Term(now.data, target, now.new), Term(dreams, target, strength * now.old)])
