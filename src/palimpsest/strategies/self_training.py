"""Self-training: a joint model goes on with nothing but its own dreams, to see what becomes of it."""

from palimpsest.core.errors import RequestError
from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.strategies.taught import Taught, weight_of_class
from palimpsest.targets import label, true_noise


@strategy(keeps={"teacher", "average"}, learners=("joint",))
def self_training(
    now,
    past,
    *,
    alpha: float = 0.001,
    alpha_apart: float = 1.0,
    beta: float = 0.01,
    per_class: int = 1000,
    teacher_steps: int = 250,
    teacher_sampler: str = "ddim",
    distil: bool = False,
    temperature: float = 1.0,
    most: float = 2.0,
):
    """Learn from what the model itself dreamt and labelled, round after round (after JDCL, arXiv 2411.08224, figure 1).

    L_1 = E_data ‖ε − ε_θ‖²  +  α E_data CE(y, f_θ)
    L_k = E_dreams ‖ε − ε_θ‖²  +  α E_dreams CE(ŷ, f_θ),   or distilled, as in JDCL:
    L_k = 2 E_dreams [ ‖ε_teacher − ε_θ‖² + α H(f_teacher, f_θ) ]  +  β E_dreams [ ‖ε − ε_θ‖² + α CE(ŷ, f_θ) ]

    The teacher is the model as it was when the round began. Rounds are stream.rounds; joint.body = "cnn" or "resnet18" is a
    classifier apart from the generator that it learns from, which the figure compares with. The figure's own steps and number
    of pictures are not known.

    alpha: what the class matters beside the noise (published: 0.001)
    alpha_apart: α where the class has a network of its own, which no noise stands beside: joint.body (published: 1)
    beta: what true noise and hard labels matter beside the teacher, where it is distilled (published: 0.01)
    per_class: dreams of each class a round
    teacher_steps: sampling steps of a dream (published: 250)
    teacher_sampler: how the model dreams
    distil: learn the former model's opinions of its dreams, of noise and class, and not its dreams alone
    temperature: of the teacher's and the student's opinions (published: 1)
    most: how many times as many dreams as wanted may be dreamt before short classes are filled up with copies
    """
    alpha = weight_of_class(now, alpha, alpha_apart)
    if not past.joint.exists:
        return Phase("joint", [Term(now.data, true_noise), Term(now.data, label, alpha)])
    dials = {"most": most, "views": now.data.views}
    if now.data.exists and set(now.classes) - set(past.classes):
        raise RequestError(
            f"self_training learns from pictures in its first task alone, and task {now.k} brings new ones; give it one task, and "
            "stream.rounds."
        )
    pool = past.joint.pool(past.classes, per_class, teacher_steps, teacher_sampler, "average", "average", **dials)
    teacher = past.joint.using("average")
    taught = Taught(pool, 1.0, teacher.noise, teacher.soft(temperature), weight=2.0)
    truth = beta if distil else 1.0
    return Phase("joint", taught.of_noise(truth, distil) + taught.of_classes(truth, alpha, distil))
