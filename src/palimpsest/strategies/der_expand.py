"""Dynamically expandable representation: a new backbone for each task, beside those of earlier ones, which stay as they are."""

from palimpsest.core.term import Phase, Term
from palimpsest.sources import union
from palimpsest.strategies import strategy
from palimpsest.strategies.incremental import balanced, old_and_new
from palimpsest.targets import Label, OwnLabel, label

LEARNER = "expanding_classifier"


@strategy(keeps={"memory"}, learners=("expanding_classifier",))
def der_expand(
    now,
    past,
    *,
    memory_size: int = 0,
    per_class: int = 20,
    selection: str = "herding",
    auxiliary: float = 1.0,
    balanced_epochs: int = 50,
    balanced_rate: float = 0.5,
    temperature: float = 5.0,
):
    """Let one backbone more see what is new, and classify by what all of them see (Yan et al. 2021, DER, arXiv 2103.16788).

    L_k = E CE(y, z)  +  λ E CE(y', z_own)   with y' the new class, or "old" for all old ones together

    E is over data ∪ memory; z are the logits over the features of all backbones, of which the newest alone learns, and z_own those over
    the newest's. It begins as a copy of the one before it, and weights of the last layer that there were stay where they were. Then the
    last layer begins anew and learns by itself, from as many pictures of each class: CE(y, z / T), at a rate that falls to a tenth after
    three and after six tenths of it. The network has a backbone for each task, and a run and its checkpoints have room for all of them
    from the start. Without the paper's pruning.

    memory_size: pictures kept in all, where per_class is 0
    per_class: pictures kept of each class (published: 20 after a base step)
    selection: how they are chosen: herding or random of each class, reservoir of all
    auxiliary: λ (published: 1)
    balanced_epochs: of the last layer alone (published: 30 to 50, and 50 after a base step); 0: none
    balanced_rate: by which the learning rate is multiplied there (published: 0.5 to 1)
    temperature: T (published: 5)
    """
    data = union(now.data, past.memory.pictures)
    old, new = old_and_new(now, past)
    terms = [Term(data, label), Term(data, OwnLabel(new if old else (), rest=True), auxiliary)]
    left = yield Phase(LEARNER, terms, freeze=now.learners[LEARNER].older)
    targets = [Label(head="judged", temperature=temperature)]
    how = {"start": now.renewed(LEARNER, left), "rate": balanced_rate, "milestones": (0.3, 0.6)}
    yield from balanced(LEARNER, now, past, left, targets, balanced_epochs, **how)
