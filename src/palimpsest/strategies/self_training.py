"""Self-training: a joint model goes on with nothing but its own dreams, to see what becomes of it."""

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.term import Phase, Term
from palimpsest.sources import Part
from palimpsest.strategies import strategy
from palimpsest.strategies.taught import HEADS, Taught, weight_of_class
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
    heads: str = "both",
    temperature: float = 1.0,
    most: float = 2.0,
):
    """Learn from what the model itself dreamt and labelled, round after round (after JDCL, arXiv 2411.08224, figure 1).

    L_1 = E_data ‖ε − ε_θ‖²  +  α E_data CE(y, f_θ)
    L_k = E_dreams ‖ε − ε_θ‖²  +  α E_dreams CE(ŷ, f_θ),   or distilled, as in JDCL:
    L_k = 2 E_dreams [ ‖ε_teacher − ε_θ‖² + α H(f_teacher, f_θ) ]  +  β E_dreams [ ‖ε − ε_θ‖² + α CE(ŷ, f_θ) ]

    The teacher is the model as it was when the round began. It dreams, labels and teaches with the same weights, the
    averaged ones where there are any, and not with two kinds as jdcl does: the question is what becomes of one model.
    Rounds are stream.rounds; joint.body = "cnn" or "resnet18" is a classifier apart from the generator that it learns
    from, which the figure compares with. The figure's own steps and number of pictures are not known.

    alpha: what the class matters beside the noise (published: 0.001)
    alpha_apart: α where the class has a network of its own: joint.body (published for jdcl: 1, of a teacher's opinion)
    beta: what true noise and hard labels matter beside the teacher, where it is distilled (published for jdcl: 0.01)
    per_class: dreams of each class a round
    teacher_steps: sampling steps of a dream (published: 250)
    teacher_sampler: how the model dreams
    distil: learn the former model's opinions of its dreams, of noise and class, and not its dreams alone
    heads: both, noise or classes: what distil is about; the other is learnt from the truth at its full weight
    temperature: of the teacher's and the student's opinions (published: 1)
    most: how many times as many dreams as wanted may be dreamt before short classes are filled up with copies
    """
    if heads not in ("both", *HEADS):
        raise unknown("heads of self_training", heads, ("both", *HEADS))
    if heads != "both" and not distil:
        raise RequestError(f"heads is {heads}, and nothing is distilled; add distil = true, or leave heads at both.")
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
    taught = Taught(Part(pool, 0, 1), teacher.noise, teacher.soft(temperature), weight=2.0)
    chosen = {head: distil and heads in ("both", head) for head in HEADS}
    truth = {head: beta if chosen[head] else 1.0 for head in HEADS}
    noise = taught.of_noise(truth["noise"], chosen["noise"])
    return Phase("joint", noise + taught.of_classes(truth["classes"], alpha, chosen["classes"]))
