"""JDCL: a specialist of the new task and the previous joint model both teach a student, on their own dreams alone."""

from palimpsest.core.errors import unknown
from palimpsest.core.term import Phase, Term
from palimpsest.sources import Part
from palimpsest.strategies import strategy
from palimpsest.targets import label, true_noise

CHOICES = {
    "local_init": ("global", "scratch"),
    "distil": ("both", "noise", "classes", "none"),
    "shares": ("by_count", "equal"),
}


@strategy(keeps={"teacher", "average"}, learners=("joint",))
def jdcl(
    now,
    past,
    *,
    alpha: float = 0.001,
    beta: float = 0.01,
    per_class: int = 1000,
    teacher_steps: int = 250,
    teacher_sampler: str = "ddim",
    global_steps: int = 0,
    warm_up: float = 0.3333,
    local_init: str = "global",
    distil: str = "both",
    shares: str = "by_count",
    temperature: float = 1.0,
    dreaming: str = "average",
    labelling: str = "raw",
    teaching: str = "raw",
    soft_labels: bool = False,
    masked: bool = False,
    confidence: float = 0.0,
    most: float = 2.0,
):
    """Joint diffusion models in continual learning, in two phases (Skierś, Deja 2024, arXiv 2411.08224).

    local:   L_k = E_data ‖ε − ε_θ‖²  +  α E_data CE(y, f_θ)
    global:  L_k = Σ_s w_s E_s [ ‖ε_s − ε_θ‖² + α H(f_s, f_θ) ]  +  β E_dreams [ ‖ε − ε_θ‖² + α CE(ŷ, f_θ) ]

    s goes over the past global model, for its dreams of old classes, and the local one, for its dreams of new ones. The
    student begins with the past global model, and no real picture is looked at. The first task has the local phase alone.

    alpha: what the class matters beside the noise (published: 0.001)
    beta: what true noise and hard labels of dreams matter beside the teachers (published: 0.01)
    per_class: dreams of each class, old and new (published: 1000 for CIFAR-10, 400 for CIFAR-100, 1040 for ImageNet-100)
    teacher_steps: sampling steps of a dream (published: 250)
    teacher_sampler: how both teachers dream
    global_steps: steps of the global phase; 0: as many as the local one (published for CIFAR-10: 30k after 50k)
    warm_up: share of the global phase in which the class does not count yet (published: 10k steps of 30k)
    local_init: global: the local model begins with the past global one (the paper); scratch: from new weights (CIFAR's code)
    distil: both, noise, classes or none: what is learnt from the teachers
    shares: by_count: w_s is twice the share of s in the dreams (the code); equal: 1 each (the paper)
    temperature: of the teachers' and the student's opinions (published: 1)
    dreaming: average or raw: the weights that dream (published: average)
    labelling: average or raw: the weights that label dreams (published: raw)
    teaching: average or raw: the weights that are distilled (published: raw)
    soft_labels: label dreams by probabilities (published: by the likeliest class)
    masked: give no probability to classes that a teacher has not seen (published: all classes have one)
    confidence: least probability of a dream's class (published: 0, all are kept)
    most: how many times as many dreams as wanted may be dreamt before short classes are filled up with copies
    """
    check_choices(local_init=local_init, distil=distil, shares=shares)
    specialist = yield Phase(
        "joint",
        [Term(now.data, true_noise), Term(now.data, label, alpha)],
        start=now.untrained("joint") if local_init == "scratch" else past.joint,
        name="local",
    )
    if not past.joint.exists:
        return
    dials = {"soft": soft_labels, "confidence": confidence, "most": most, "masked": masked}
    share = len(past.classes) / len(past.classes + now.classes)
    pairs = [
        (past.joint, past.classes, "dreams of old classes", (0, share)),
        (specialist, now.classes, "dreams of new classes", (share, 1)),
    ]
    noise, classes = [], []
    for teacher, whose, name, (first, last) in pairs:
        dreams = teacher.pool(whose, per_class, teacher_steps, teacher_sampler, dreaming, labelling, name=name, **dials)
        source, teacher = Part(dreams, first, last), teacher.using(teaching)
        weight, part = (2 * (last - first) if shares == "by_count" else 1), beta * (last - first)
        known = whose if masked else ()
        noise += [Term(source, teacher.noise, weight * (distil in ("both", "noise"))), Term(source, true_noise, part)]
        opinion = teacher.soft(temperature, classes=known)
        classes += [
            Term(source, opinion, alpha * weight * (distil in ("both", "classes"))),
            Term(source, label, alpha * part),
        ]
    steps, start = global_steps, past.joint.using("raw")
    if warm_up:
        yield Phase("joint", noise, start=start, name="global", steps=steps, span=(0, warm_up))
        yield Phase("joint", noise + classes, name="global", steps=steps, span=(warm_up, 1))
    else:
        yield Phase("joint", noise + classes, start=start, name="global", steps=steps)


def check_choices(**chosen: str) -> None:
    """Refuse what an option cannot be."""
    for name, choice in chosen.items():
        if choice not in CHOICES[name]:
            raise unknown(f"{name} of jdcl", choice, CHOICES[name])
