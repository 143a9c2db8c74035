"""The classifier that learns beside a generator, from the generator's dreams."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import label


@strategy(keeps={"teacher"}, learners=("classifier",))
def generative_replay_classifier(
    now,
    past,
    *,
    teacher_steps: int = 10,
    teacher_sampler: str = "ddim",
    temperature: float = 2.0,
    reverse: bool = True,
    reuse: int = 1,
):
    """Classify dreams of the previous generator as the previous classifier does (arXiv 2311.14028, eq. 12).

    L_k = 1/k · E_data CE(y, f_θ)  +  (1 − 1/k) · E_dreams T² H(f_teacher / T, f_θ / T)

    It goes beside a strategy that trains the generator: [classifier] strategy = "auto".

    teacher_steps: sampling steps of a dream (published: 10 for Fashion-MNIST, 20 for CIFAR-10)
    teacher_sampler: how the previous generator dreams
    temperature: T, which softens both opinions
    reverse: H(p, q) with the student's opinion first, as the published code has it; false: as the paper's equation has it
    reuse: how often each dream is used (published: 1)
    """
    return Phase(
        "classifier",
        [
            Term(now.data, label, now.new),
            Term(
                past.dreams(teacher_steps, teacher_sampler, reuse), past.classifier.soft(temperature, reverse), now.old
            ),
        ],
    )
