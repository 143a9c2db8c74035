"""New classes begin where their pictures lie."""

import copy
from dataclasses import dataclass

from palimpsest.models.classifier import Classifier
from palimpsest.models.predictors import class_means, directions
from palimpsest.sources import Data


@dataclass(frozen=True)
class Imprinted:
    """A start for a phase: a cosine classifier whose new rows point to the means of the new classes' pictures.

    In the features that it has before it learns them, in evaluation mode and without augmentation (Hou et al. 2019, LUCIR, code).

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
        made.network.head.imprint(class_means(seen, labels, sorted(self.new)), self.before)
        return made
