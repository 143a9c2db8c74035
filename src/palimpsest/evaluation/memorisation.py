"""Did the model memorise? How near samples lie to the training pictures, beside how near held-out pictures lie."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.pictures import Pictures, in_parts

QUERIES = 2000  # compared with one part of the training set at a time: 16 MB of distances


@dataclass(frozen=True)
class Nearest:
    """The training picture nearest to each of Q pictures, on the CPU.

    distances: float32 (Q,), pixel L2 distances with pixels in [-1, 1]: from 0 to 2 √(C·H·W).
    indices: int64 (Q,), rows of the training set.
    """

    distances: Tensor
    indices: Tensor


def nearest(queries: Tensor, training: Pictures | Tensor, flip: bool = False) -> Nearest:
    """The nearest training picture by pixel L2 distance |q − t|, for each picture of `queries`.

    queries: float (Q, C, H, W) in [-1, 1], on the device that computes.  training: pictures, read in parts, or a tensor
    like the queries.  flip: mirrored training pictures count too, as they should where training mirrored pictures.
    The search compares |t|² − 2 q·t in float32, and can take a picture whose distance is larger than the smallest by up
    to 0.001 root mean square per pixel, an eighth of a gray level. The distance given is that of the picture found,
    taken from their difference: an exact copy has distance 0.
    Raises RequestError where there are no training pictures, or of another shape.
    """
    queries = queries.float()
    if not len(training):
        raise RequestError("the nearest training picture is asked for, but there are no training pictures; give some.")
    found = search(queries, training)
    if not flip:
        return found
    mirrored = search(queries.flip(-1), training)  # as far from t as the query is from the mirrored t
    nearer = mirrored.distances < found.distances
    return Nearest(
        torch.where(nearer, mirrored.distances, found.distances), torch.where(nearer, mirrored.indices, found.indices)
    )


def search(queries: Tensor, training: Pictures | Tensor) -> Nearest:
    """`nearest` without mirroring: the best of each part of the training set, and the best of these."""
    distances = torch.full((len(queries),), torch.inf, device=queries.device)
    indices = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    for rows, part in parts(training, queries):
        chosen = torch.cat([closest(some, part) for some in queries.split(QUERIES)])
        apart = (queries - part[chosen]).flatten(1).norm(dim=1)
        nearer = apart < distances
        distances = torch.where(nearer, apart, distances)
        indices = torch.where(nearer, rows[chosen], indices)
    return Nearest(distances.cpu(), indices.cpu())


def closest(queries: Tensor, part: Tensor) -> Tensor:
    """For each of the queries (Q, C, H, W), the row of the picture of `part` (P, C, H, W) with least |t|² − 2 q·t."""
    q, t = queries.flatten(1), part.flatten(1)
    return torch.addmm(t.square().sum(dim=1), q, t.T, alpha=-2).argmin(dim=1)


def parts(training: Pictures | Tensor, like: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Row numbers and pictures of the training set, a few at a time, on the device of `like`."""
    for rows in in_parts(training):
        pictures = take(training, rows).to(like.device, torch.float32)
        if pictures.shape[1:] != like.shape[1:]:
            raise RequestError(
                f"distances need pictures of one shape, but these are {tuple(like.shape[1:])} and the training "
                f"pictures {tuple(pictures.shape[1:])}; take both from one stream."
            )
        yield rows.to(like.device), pictures


def take(training: Pictures | Tensor, rows: Tensor) -> Tensor:
    """The training pictures of `rows`, float (B, C, H, W) in [-1, 1]."""
    return training[rows.to(training.device)] if isinstance(training, Tensor) else training.take(rows)[0]


def memorisation(made: Tensor, held_out: Tensor, quantile: float = 0.01, weights: Tensor | None = None) -> float:
    """Share of the samples that lie as near to a training picture as only a share `quantile` of held-out pictures does.

        mean [d(sample, training) ≤ q],   q: the 1 % quantile of d(held-out picture, training)

    The three sets are those of the test for data copying of Meehan et al. 2020 (arXiv 2004.05675).
    made, held_out: distances (N,) and (M,) of samples and of held-out pictures of the same classes to the same training
    set, as `nearest` gives them.  weights: what each held-out picture counts in the quantile, (M,); see `class_weights`.
    Unit: share of samples, 0 to 1.  Direction: lower is better; 0.01 (`quantile`) is expected of a model that does not
    memorise, 1 of copies. Samples unlike any picture score less and blurred ones more, for smooth pictures lie near to
    all others: read it beside a measure of quality, and look at the closest pairs.
    Sample count: for its standard error see `memorisation_error`; take at least some hundreds of each.
    Raises RequestError where one set is empty, weighs nothing, or the quantile is not between 0 and 1.
    """
    weights = torch.ones(len(held_out)) if weights is None else weights
    if not len(made) or not weights.sum() > 0:
        raise RequestError(
            f"memorisation needs distances of samples and of held-out pictures, but there are {len(made)} and "
            f"{len(held_out)}; give both."
        )
    if not 0 < quantile < 1:
        raise RequestError(f"memorisation needs a quantile between 0 and 1, but it is {quantile}; the usual is 0.01.")
    distances, order = held_out.double().sort()
    reached = weights.double()[order].cumsum(0) / weights.double().sum()
    # ≤, because the threshold is 0 where held-out pictures repeat training pictures, and copies must count then too.
    threshold = distances[int((reached >= quantile - 1e-12).nonzero()[0])]
    return float((made.double() <= threshold).double().mean())


def class_weights(made: Tensor, held_out: Tensor) -> Tensor:
    """What each held-out picture counts, float64 (M,), so that their classes are as frequent as those of the samples.

    made, held_out: class numbers int64 (N,) and (M,). Pictures of some classes lie nearer to each other than those of
    others, so that a generator that makes these too often would seem to copy, and one that forgot them seem not to.
    Held-out pictures of classes that the samples lack count nothing.
    """
    classes = int(torch.cat([made, held_out]).max()) + 1 if len(made) and len(held_out) else 1
    there = torch.bincount(held_out, minlength=classes).double()
    wanted = torch.bincount(made, minlength=classes).double()
    return (wanted / there.clamp(min=1))[held_out]


def memorisation_error(made: int, held_out: int, quantile: float = 0.01) -> float:
    """Standard error of `memorisation` for a model that does not memorise: √(q (1 − q) (1/N + 1/M)), shares of samples."""
    return (quantile * (1 - quantile) * (1 / made + 1 / held_out)) ** 0.5


def closest_pairs(
    samples: Tensor, distances: Tensor, indices: Tensor, training: Pictures | Tensor, count: int = 5
) -> tuple[Tensor, Tensor]:
    """The `count` samples nearest to the training set, and their neighbours there: two tensors (count, C, H, W).

    samples: (N, C, H, W).  distances, indices: what `nearest` gave for them.  Nearest first, each training picture
    once; pairs that repeat a training picture follow only where the others do not suffice. A neighbour that was found
    mirrored is shown as it is stored. Both in [-1, 1], on the CPU; fewer pairs where there are fewer samples.
    """
    first, again, seen = [], [], set()
    for row in distances.argsort(stable=True).tolist():
        neighbour = int(indices[row])
        (again if neighbour in seen else first).append(row)
        seen.add(neighbour)
    rows = torch.tensor((first + again)[:count], dtype=torch.int64)
    return samples.cpu()[rows], take(training, indices.cpu()[rows]).cpu()
