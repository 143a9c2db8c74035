"""FOSTER: a new backbone beside the old one learns what that misses, and one network learns from both."""

from palimpsest.core.term import Phase, Term
from palimpsest.sources import counts_of, union
from palimpsest.strategies import strategy
from palimpsest.strategies.incremental import old_and_new
from palimpsest.targets import Balance, Label, OwnLabel, label

LEARNER = "boosted_classifier"


@strategy(keeps={"memory", "teacher"}, learners=("boosted_classifier",))
def foster(
    now,
    past,
    *,
    memory_size: int = 0,
    per_class: int = 20,
    selection: str = "herding",
    strength: float = 1.0,
    temperature: float = 2.0,
    beta: float = 0.97,
    compression_beta: float = 0.97,
    boosting_epochs: int = 0,
    compression_epochs: int = 0,
):
    """Boost the previous network by a new one, and compress both into one (Wang et al. 2022, FOSTER, arXiv 2204.04662).

    boosting:     L_k = E CE(y, z / w)  +  E CE(y, z_own)  +  λ E KL(p_teacher, p_θ)   with p at temperature T among the old classes
    compression:  L_k = E KL(w p_both / Σ w p_both, p_θ)                              with p at temperature T, and no labels

    E is over data ∪ memory. z are the logits over what the frozen previous backbone and a new one see, z_own those over the new one's
    alone. w_c = (1 − β) / (1 − β^n), with a mean of 1, for a class of n pictures. The new backbone begins as a copy of the old one, and
    the compressed network as the previous one. The first task learns E CE(y, z). Where synthetic pictures count for classification, n
    counts them, too. Published without weight decay in the compression, which here has that of the experiment.

    memory_size: pictures kept in all, where per_class is 0
    per_class: pictures kept of each class (published: 20 after a base step)
    selection: how they are chosen: herding or random of each class, reservoir of all
    strength: λ (published: 1)
    temperature: T (published: 2)
    beta: β of the boosting (published: 0.94 to 0.98, by protocol)
    compression_beta: β of the compression (published: 0.97)
    boosting_epochs: of the boosting; 0: as the experiment has it (published: 170, after 200 of the first task)
    compression_epochs: of the compression; 0: as the experiment has it (published: 130)
    """
    data, before = union(now.data, past.memory.pictures), past.teacher(LEARNER)
    old, new = old_and_new(now, past)
    if not (old and new):
        yield Phase(LEARNER, [Term(data, label)])
        return
    counts = tuple(counts_of(data.pictures.labels).items())
    opinion = before.soft(temperature, classes=old, within=True)  # which is multiplied by T², as that below is
    both = yield Phase(
        LEARNER,
        [
            Term(data, Label(balance=Balance(counts, beta))),
            Term(data, OwnLabel(old + new)),
            Term(data, opinion, strength / temperature**2),
        ],
        start=now.met_by(before, grown=True),
        freeze=("network.branches.0.*",),
        name="boosting",
        epochs=boosting_epochs,
    )
    weighed = both.soft(temperature, balance=Balance(counts, compression_beta))
    yield Phase(
        LEARNER,
        [Term(data, weighed, 1 / temperature**2)],
        start=now.met_by(before),
        name="compression",
        epochs=compression_epochs,
    )
