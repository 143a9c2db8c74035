"""JDCL: a specialist of the new task and the previous joint model both teach a student, on their own dreams alone."""

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.term import Phase, Term
from palimpsest.sources import Part
from palimpsest.strategies import strategy
from palimpsest.strategies.taught import HEADS, Taught, weight_of_class
from palimpsest.targets import Confident, label, true_noise

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
    alpha_apart: float = 1.0,
    beta: float = 0.01,
    per_class: int = 1000,
    teacher_steps: int = 250,
    teacher_sampler: str = "ddim",
    global_steps: int = 0,
    warm_up: float = 0.3333,
    local_init: str = "global",
    two_stage: bool = True,
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
    refresh: int = 0,
    threshold: float = 0.95,
    ratio: float = 7.0,
):
    """Joint diffusion models in continual learning, in two phases (Skierś, Deja 2024, arXiv 2411.08224).

    local:   L_k = E_data ‖ε − ε_θ‖²  +  α E_data CE(y, f_θ)
    global:  L_k = Σ_s w_s E_s [ ‖ε_s − ε_θ‖² + α H(f_s, f_θ) ]  +  β E_dreams [ ‖ε − ε_θ‖² + α CE(ŷ, f_θ) ]

    s goes over the past global model, for its dreams of old classes, and the local one, for its dreams of new ones. The
    student begins with the past global model (and goes on with its average: training.keep_average), and no real picture is
    looked at. The first task has the local phase alone.

    Where few pictures have a label, the local phase alone changes:
    E_all ‖ε − ε_θ‖²  +  α E_labelled CE(y, f_θ)  +  α E_all 1(max p ≥ τ) CE(argmax p, f_θ),   p = f_θ of a weaker view

    alpha: what the class matters beside the noise (published: 0.001)
    alpha_apart: α where the class has a network of its own: joint.body (published: 1, of a teacher's opinion)
    beta: what true noise and hard labels of dreams matter beside the teachers (published: 0.01); what no teacher says counts 1
    per_class: dreams of each class, old and new (published: 1000 for CIFAR-10, 400 for CIFAR-100, 1040 for ImageNet-100)
    teacher_steps: sampling steps of a dream (published: 250)
    teacher_sampler: how both teachers dream
    global_steps: steps of the global phase; 0: as many as the local one (published for CIFAR-10: 30k after 50k)
    warm_up: share of the global phase in which the class does not count yet (published: 10k steps of 30k)
    local_init: global: the local model begins with the past global one (the paper); scratch: from new weights (CIFAR's code)
    two_stage: false: no specialist; one phase on real pictures of the new classes and dreams of the old ones, β being 1
    distil: both, noise, classes or none: what is learnt from the teachers
    shares: by_count: w_s is twice the share of s in the dreams (the code); equal: 1 each (the paper)
    temperature: of the teachers' and the student's opinions (published: 1)
    dreaming: average or raw: the weights that dream (published: average)
    labelling: average or raw: the weights that label dreams (published code: raw, for it puts averages aside before)
    teaching: average or raw: the weights that are distilled (the published choice is not known)
    soft_labels: label dreams by probabilities (published: by the likeliest class)
    masked: give no probability to classes that a teacher's dreams are not of (published: all classes have one)
    confidence: least probability of a dream's class (published: 0, all are kept)
    most: how many times as many dreams as wanted may be dreamt before short classes are filled up with copies
    refresh: steps of the global phase after which all dreams are dreamt anew; 0: never (published)
    threshold: with few labels (stream.labels): how sure of a picture's class the model must be to learn it (published: 0.95)
    ratio: with few labels: unlabelled pictures in a batch for each labelled one (published: 7)
    """
    if now.unlabelled is not None and not two_stage:
        raise RequestError("two_stage = false looks at labelled pictures alone; with stream.labels leave it true.")
    check_choices(local_init=local_init, distil=distil, shares=shares)
    check_few(threshold, ratio)
    if not 0 <= warm_up < 1:
        raise RequestError(f"warm_up is {warm_up:g}, and it is a share of the global phase, from 0 to less than 1.")
    alpha = weight_of_class(now, alpha, alpha_apart)
    dials = {"soft": soft_labels, "confidence": confidence, "most": most, "masked": masked, "every": refresh}
    dials["views"] = now.views
    kept = (per_class, teacher_steps, teacher_sampler, dreaming, labelling)
    share = len(past.classes) / len(past.classes + now.classes)

    def dreams(teacher, classes: tuple[int, ...], name: str, first: float, last: float) -> Taught:
        source = Part(teacher.pool(classes, *kept, name=f"dreams of {name} classes", **dials), first, last)
        opinion = teacher.using(teaching).soft(temperature, classes=classes if masked else ())
        weight = 2 * (last - first) if shares == "by_count" else 1
        return Taught(source, teacher.using(teaching).noise, opinion, weight)

    if two_stage or not past.joint.exists:
        start = now.untrained("joint") if local_init == "scratch" else past.joint.using("raw")
        specialist = yield Phase("joint", of_reality(now, alpha, threshold, ratio), start=start, name="local")
    if not past.joint.exists:
        return
    old = dreams(past.joint, past.classes, "old", 0, share)
    new = dreams(specialist, now.classes, "new", share, 1) if two_stage else Taught(Part(now.data, share, 1))
    taught = {head: distil in ("both", head) for head in HEADS}
    truth = {head: beta if two_stage and taught[head] else 1.0 for head in taught}
    noise = [term for part in (old, new) for term in part.of_noise(truth["noise"], taught["noise"])]
    classes = [term for part in (old, new) for term in part.of_classes(truth["classes"], alpha, taught["classes"])]
    shared = {"learner": "joint", "name": "global", "steps": global_steps}
    start = past.joint
    if warm_up:
        yield Phase(terms=noise, start=start, span=(0, warm_up), **shared)
        yield Phase(terms=noise + classes, span=(warm_up, 1), **shared)
    else:
        yield Phase(terms=noise + classes, start=start, **shared)


def of_reality(now, alpha: float, threshold: float, ratio: float) -> list[Term]:
    """The terms of the local phase."""
    if now.unlabelled is None:
        return [Term(now.data, true_noise), Term(now.data, label, alpha)]
    few, many = Part(now.data, 0, 1 / (1 + ratio)), Part(now.unlabelled, 1 / (1 + ratio), 1)
    sure = Confident(now.learners["joint"], threshold)
    return [Term(many, true_noise), Term(few, label, alpha), Term(many, sure, alpha)]


def check_few(threshold: float, ratio: float) -> None:
    """Refuse what cannot be of few labels, also where all pictures have one."""
    if not 0 <= threshold <= 1:
        raise RequestError(f"threshold is {threshold:g}, and it is how sure the model must be, from 0 to 1.")
    if not 0 < ratio < float("inf"):
        raise RequestError(
            f"ratio is {ratio:g}, and it is how many unlabelled pictures stand beside a labelled one, above 0."
        )


def check_choices(**chosen: str) -> None:
    """Refuse what an option cannot be."""
    for name, choice in chosen.items():
        if choice not in CHOICES[name]:
            raise unknown(f"{name} of jdcl", choice, CHOICES[name])
