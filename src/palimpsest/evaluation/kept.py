"""How much of what a model made it still makes after it was taught, and how much of the new, without any picture that it once learnt."""

import math

from torch import Tensor

from palimpsest.evaluation.measures import K, Numbers
from palimpsest.evaluation.neighbours import prdc


def still_made(own: Tensor, made: Tensor) -> Numbers:
    """coverage_old and density_old: coverage and density (`neighbours.prdc`) of what a model made before by other samples.

    own: features (N, D) of samples of the model as it was.  made: (M, D), of samples of the taught one, from other noise, for
    equal noise would bring near what only begins alike.  Both come from one sampler, so that its traces tell nothing.
    Unit: share of the own samples' neighbourhoods; ratio.  Direction: higher.  Sample count: both depend on it, see `expected`.
    """
    found = prdc(own, made, K)
    return {"coverage_old": found["coverage"], "density_old": found["density"]}


def expected(own: int, made: int, due: float) -> Numbers:
    """What `still_made` gives on average where nothing is lost, and a share `due` of the samples shows what was made before.

        coverage = 1 − Π_{j<K} (N − 1 − j) / (N − 1 + m − j),   m = due · M;   density = due

    Of an own sample's K nearest among N − 1 own ones and m others of the same distribution, all are own with this probability.
    The rest of the samples are taken to lie in no neighbourhood. own, made: N > K and M, the counts.
    """
    others = due * made
    missed = math.prod((own - 1 - j) / (own - 1 + others - j) for j in range(K))
    return {"coverage_old": 1 - missed, "density_old": due}


def newly_made(new: Tensor, own: Tensor, made: Tensor, due: float) -> Numbers:
    """Near which share of the new pictures the taught model makes something: its "coverage", that "before", and what is "expected".

    new: features (N, D) of the pictures that were taught.  own, made: (M, D) of samples of the model as it was, and as it is.
    expected: on average, of a model that makes the new as well as the pictures are, in a share `due` of its samples.
    Unit: share of the new pictures' neighbourhoods.  Direction: higher.
    """
    now, before = (prdc(new, samples, K)["coverage"] for samples in (made, own))
    return {"coverage": now, "before": before, "expected": expected(len(new), len(made), due)["coverage_old"]}
