"""What is replayed while a task is learnt: is it what the past should be, and is every old class in it?"""

from collections.abc import Sequence

import torch
from torch import Tensor

from palimpsest.evaluation.frequencies import counts

STARVING = 0.1  # share of what is due to a class, below which it starves


def examine_replay(seen: Tensor, due: Sequence[int], labels: Tensor | None = None) -> dict:
    """Purity, class shares and starving classes of replayed pictures.

    seen: classes that the evaluator sees in them, int64 (N,).  due: the past classes, each with an equal share.
    labels: the classes that they were made for; None for a generator without labels.

    purity: share of the pictures in which the evaluator sees the class that they were made for or, without labels, any
        past class; 0 to 1, higher is better.  shares: by class number, of all classes seen in them or due.
    starving: past classes with less than a tenth of their due share.
    Sample count: N; with N pictures a share p has a standard error of √(p (1 − p) / N).
    """
    past = torch.tensor(list(due), dtype=torch.int64)
    pure = seen == labels.cpu() if labels is not None else torch.isin(seen, past)
    found = counts(seen, int(max(seen.max(), past.max())) + 1).double() / len(seen)
    shares = {c: float(share) for c, share in enumerate(found.tolist()) if share or c in due}
    starving = [c for c in sorted(due) if shares[c] < STARVING / len(due)]
    return {"count": len(seen), "purity": float(pure.double().mean()), "shares": shares, "starving": starving}
