"""iCaRL: a few chosen pictures of each class, what the previous classifier says, and the nearest mean."""

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.term import Phase, Term
from palimpsest.sources import union
from palimpsest.strategies import strategy
from palimpsest.targets import label

LOSSES = ("softmax", "sigmoid")


@strategy(keeps={"memory", "teacher"}, learners=("classifier",), predicts="nearest_mean")
def icarl(
    now,
    past,
    *,
    memory_size: int = 2000,
    per_class: int = 0,
    selection: str = "herding",
    strength: float = 1.0,
    temperature: float = 2.0,
    loss: str = "softmax",
):
    """Learn from new pictures and chosen old ones, and keep to what was said of old classes (Rebuffi et al. 2017, arXiv 1611.07725).

    L_k = E_{data ∪ memory} CE(y, f_θ)  +  λ E_{data ∪ memory} KL(p_teacher, p_θ)   with p at temperature T among the old classes

    or, with loss = sigmoid, E_{data ∪ memory} BCE(t, σ(f_θ)) with t the teacher's σ for old classes and 1(y = c) for others, a mean
    over the outputs that there are: with classifier.head = "fixed" over all from the start, as it was published first, and with a
    growing head over those that have arrived. It predicts the class whose remembered pictures lie nearest in the mean.

    memory_size: pictures kept in all (published: 2000 for CIFAR-100), an equal share for each class
    per_class: pictures kept of each class, in place of memory_size (class-incremental protocol with a base step: 20)
    selection: how they are chosen: herding or random of each class, reservoir of all
    strength: λ of the softmax form (published code of LUCIR's baseline: 1)
    temperature: T of the softmax form
    loss: softmax (the later papers' iCaRL) or sigmoid (the original, where classifier.head is "fixed")
    """
    if loss not in LOSSES:
        raise unknown("loss of icarl", loss, LOSSES)
    if loss == "sigmoid" and (strength, temperature) != (1.0, 2.0):
        raise RequestError("strength and temperature are of icarl's softmax form, and loss is sigmoid; leave them out, or set loss to softmax.")
    data, before = union(now.data, past.memory.pictures), past.classifier
    if loss == "sigmoid":
        return Phase("classifier", [Term(data, before.sigmoids(past.classes))])
    opinion = before.soft(temperature, classes=past.classes, within=True)  # which is multiplied by T²
    return Phase("classifier", [Term(data, label), Term(data, opinion, strength / temperature**2)])
