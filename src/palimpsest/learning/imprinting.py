"""New classes begin where their pictures lie."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from palimpsest.models.classifier import Classifier
from palimpsest.models.predictors import class_means, directions
from palimpsest.sources import Data


@dataclass(frozen=True)
class Imprinted:
    """A start for a phase: a cosine classifier whose new rows point to the means of the new classes' pictures.

    In the features that it has before it learns them, in evaluation mode and without augmentation (Hou et al. 2019, LUCIR, code).
    Where a class has several rows, they point to the middles of as many groups of its pictures (Douillard et al. 2020, PODNet, code).

    classifier: live.  before: the classes that arrived earlier.  new: those that arrive now.
    """

    classifier: Classifier
    data: Data
    before: tuple[int, ...]
    new: tuple[int, ...]

    @property
    def exists(self) -> bool:
        """Whether there are old rows, whose length new ones are to have."""
        return bool(self.before and self.new) and self.data.exists

    @property
    def learner(self) -> Classifier:
        """A copy of the classifier."""
        made = copy.deepcopy(self.classifier)
        seen, labels = directions(made, self.data.pictures), self.data.pictures.labels
        head, new = made.network.head, sorted(self.new)
        points = class_means(seen, labels, new) if head.proxies == 1 else middles(seen, labels, new, head.proxies)
        head.imprint(points, self.before)
        return made


def middles(seen: Tensor, labels: Tensor, classes: Sequence[int], count: int) -> Tensor:
    """The middles of `count` groups of the rows of each of these classes by k-means, (their number, count, D).

    A class of fewer rows has some of them several times.
    """
    found = []
    for number in classes:
        rows = seen[labels == number].double().cpu().numpy()
        groups = KMeans(min(count, len(rows)), n_init=4, random_state=0).fit(rows).cluster_centers_
        found.append(torch.from_numpy(groups)[torch.arange(count) % len(groups)])
    return torch.stack(found).to(seen)
