"""Experience replay: a few real pictures of the past."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy


@strategy(keeps={"memory"}, learners="any")
def experience_replay(now, past, *, memory_size: int = 100, per_class: int = 0, selection: str = "by_task"):
    """Replay a few real pictures of each past task (baseline of Masip et al. 2023, arXiv 2311.14028, tables B.2, B.3).

    L_k = 1/k · E_data d(truth, f_θ)  +  (1 − 1/k) · E_memory d(truth, f_θ)

    The paper's text: two means, weighted by 1/k (its published code cannot be run as it stands).

    memory_size: pictures kept in all (published: 10, 100, 1000)
    per_class: pictures kept of each class, in place of memory_size
    selection: how they are chosen: by_task (published: at random, an equal share for each past task), random or herding of each
        class, reservoir of all
    """
    return Phase(
        now.learner,
        [
            Term(now.data, now.truth, now.new),
            Term(past.memory, now.truth, now.old),
        ],
    )
