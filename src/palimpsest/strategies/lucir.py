"""LUCIR: a classifier of directions, whose features and old classes are held where they were."""

from math import sqrt

from palimpsest.core.term import Phase, Term
from palimpsest.sources import union
from palimpsest.strategies import strategy
from palimpsest.strategies.incremental import balanced, old_and_new
from palimpsest.targets import Margin, judged, label

LEARNER = "cosine_classifier"


@strategy(keeps={"memory", "teacher"}, learners=("cosine_classifier",))
def lucir(
    now,
    past,
    *,
    memory_size: int = 0,
    per_class: int = 20,
    selection: str = "herding",
    strength: float = 5.0,
    nearest: int = 2,
    margin: float = 0.5,
    balanced_epochs: int = 0,
):
    """Learn directions of classes, keep where features point to, and old classes apart from new ones (Hou et al. 2019, LUCIR).

    L_k = E CE(y, η cos(θ, f))  +  λ √(|old| / |new|) · E [1 − cos(f, f_teacher)]  +  E_old mean_K max(0, m − cos(θ_y, f) + cos(θ_k, f))

    E is over data ∪ memory; E_old over its pictures of old classes; θ_k are the K new classes that lie nearest. New rows θ begin
    at the mean of their pictures' features (imprinting); old rows do not change. With balanced_epochs, the last layer then learns
    from as many pictures of each class, at a tenth of the rate, with the first and the last loss.

    memory_size: pictures kept in all, where per_class is 0
    per_class: pictures kept of each class (published: 20)
    selection: how they are chosen: herding or random of each class, reservoir of all
    strength: λ (published: 5 for CIFAR-100, 10 for ImageNet)
    nearest: K, or all new classes where there are fewer
    margin: m
    balanced_epochs: of the last layer alone (published: 0, and 20 for all of ImageNet)
    """
    data, before = union(now.data, past.memory.pictures), past.teacher(LEARNER)
    old, new = old_and_new(now, past)
    keep = strength * sqrt(len(old) / max(len(new), 1))
    left = yield Phase(
        LEARNER,
        [
            Term(data, label),
            Term(data, before.direction, keep),
            Term(data, Margin(old, new, nearest, margin)),
        ],
        start=now.imprinted(LEARNER, old),
        freeze=("network.head.old",) if old else (),
    )
    targets = [judged, Margin(old, new, nearest, margin, head="judged_cosines")]
    yield from balanced(LEARNER, now, past, left, targets, balanced_epochs, rate=0.1, milestones=(0.5,))
