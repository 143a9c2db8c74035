"""PODNet: a classifier of directions, several of each class, whose stages are held to see things where they did."""

from math import sqrt

from palimpsest.core.term import Phase, Term
from palimpsest.sources import union
from palimpsest.strategies import strategy
from palimpsest.strategies.incremental import balanced, old_and_new
from palimpsest.targets import NeighbourhoodComponents

LEARNER = "proxy_classifier"


@strategy(keeps={"memory", "teacher"}, learners=("proxy_classifier",))
def podnet(
    now,
    past,
    *,
    memory_size: int = 0,
    per_class: int = 20,
    selection: str = "herding",
    strength: float = 3.0,
    flat: float = 1.0,
    balanced_epochs: int = 20,
    balanced_rate: float = 0.5,
):
    """Learn ten directions of each class, and keep where each stage sees something (Douillard et al. 2020, PODNet, arXiv 2004.13513).

    L_k = E NCA(y, η s)  +  √(|seen| / |new|) · ( λ E mean_l ‖p_l − p_l,teacher‖  +  μ E [1 − cos(f, f_teacher)] )

    E is over data ∪ memory; NCA is cross-entropy where the class is right, and more where it is not; s_c is a mix of the cosines between
    the feature f and the ten rows of class c; p_l are the sums of stage l's squared output over its width and over its height, of
    length 1. New rows begin at the middles of groups of their pictures (k-means); old rows do not change. Then the rows of the last
    layer learn by themselves, from as many pictures of each class, with the first loss and at one rate.

    memory_size: pictures kept in all, where per_class is 0
    per_class: pictures kept of each class (published: 20)
    selection: how they are chosen: herding or random of each class, reservoir of all
    strength: λ (published: 3 for CIFAR-100, and 5 for its nearest means; 8 for ImageNet)
    flat: μ (published: 1 for CIFAR-100, 10 for ImageNet)
    balanced_epochs: of the last layer alone (published: 20); 0: none
    balanced_rate: by which the learning rate is multiplied there (published: 0.5 for CIFAR-100, 0.2 for ImageNet)
    """
    data, before = union(now.data, past.memory.pictures), past.teacher(LEARNER)
    old, new = old_and_new(now, past)
    seen = sqrt(len(old + new) / max(len(new), 1))
    stages, direction = before.seen
    left = yield Phase(
        LEARNER,
        [
            Term(data, NeighbourhoodComponents()),
            Term(data, stages, strength * seen),
            Term(data, direction, flat * seen),
        ],
        start=now.imprinted(LEARNER, old),
        freeze=("network.head.old",) if old else (),
    )
    targets, scale = [NeighbourhoodComponents(head="judged")], ("network.head.scale",)
    how = {"rate": balanced_rate, "schedule": "constant"}
    yield from balanced(LEARNER, now, past, left, targets, balanced_epochs, frozen=scale, **how)
