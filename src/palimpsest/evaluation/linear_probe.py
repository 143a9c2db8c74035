"""How much a generator's features say about classes: a linear classifier on them."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from palimpsest.evaluation.pictures import Pictures, in_parts

ENOUGH = 1000  # iterations of the fit


@torch.no_grad()
def linear_probe(
    features: Callable[[Tensor], Tensor], training: Pictures, test: Pictures, device: torch.device | str
) -> float:
    """Share of the test pictures that a logistic regression on frozen features labels rightly.

    features: pictures (B, C, H, W) in [−1, 1] → (B, D). Each is brought to mean 0 and deviation 1 over the training pictures;
    the regression has scikit-learn's own strength of regularisation (C = 1).
    Unit: share of test pictures, 0 to 1.  Direction: higher.  The training pictures need two classes at the least.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def described(pictures: Pictures) -> tuple[np.ndarray, np.ndarray]:
        parts = [features(pictures.take(rows)[0].to(device)).float().cpu() for rows in in_parts(pictures)]
        return torch.cat(parts).numpy(), pictures.labels.cpu().numpy()

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ENOUGH))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly converged is near enough for a share
        probe.fit(*described(training))
    return float(probe.score(*described(test)))
