"""How far synthetic pictures are from the real ones that they stand in for."""

from collections.abc import Sequence

from torch import Tensor

from palimpsest.evaluation.clip import clip_similarity
from palimpsest.evaluation.described import Described
from palimpsest.evaluation.fid import frechet_distance
from palimpsest.evaluation.kid import kernel_distance

LEAST = 6  # pictures of each, below which no distance is measured


def domain_gap(
    made: Described,
    real: Described,
    seen: Tensor,
    classes: Sequence[int],
    by_clip: tuple[Described, Described] | None = None,
) -> dict:
    """Of all classes together, and of each by itself: fid, kid and kid_se between features, and how many pictures are as they should.

    made, real: with the labels that they carry.  seen: classes that the evaluator sees in the synthetic ones, int64 (N,).
    by_clip: made and real once more, as CLIP sees them.
    A Fréchet distance from no more pictures than features is absent; of hardly any pictures all distances are.
    pure: share of the synthetic pictures in which the evaluator sees the class that they carry, 0 to 1, higher is better.
    """

    def alike(*some: int) -> dict[str, float]:
        return clip_similarity(*by_clip, some) if by_clip else {}

    whole = {"count": len(made)} | between(made, real.of_classes(classes)) | pure(made, seen) | alike(*classes)
    parts = []
    for number in classes:
        there = made.labels == number
        one = made.of_classes([number])
        distances = between(one, real.of_classes([number])) | pure(one, seen[there]) | alike(number)
        parts.append({"class": number, "count": len(one)} | distances)
    return whole | {"per_class": parts}


def between(made: Described, real: Described) -> dict[str, float]:
    """The distances that there are pictures enough for."""
    if min(len(made), len(real)) < LEAST:
        return {}
    distances = dict(zip(("kid", "kid_se"), kernel_distance(made.features, real.features), strict=True))
    if min(len(made), len(real)) > made.width:
        distances["fid"] = frechet_distance(made.statistics, real.statistics)
    return distances


def pure(made: Described, seen: Tensor) -> dict[str, float]:
    """Nothing where there are no pictures."""
    return {"pure": float((seen == made.labels).double().mean())} if len(made) else {}
