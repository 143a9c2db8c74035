"""Outcome: joint models on the embedded digits over three seeds, with as many optimizer steps a task for all.

Last accuracy: JDCL > diffusion-based generative replay > finetune; and of its ablations full > separate networks > no distillation, as
in arXiv 2411.08224.
"""

from statistics import mean

import pytest

import palimpsest
from tests.tiny import QUIET

pytestmark = pytest.mark.slow

SECOND_PHASE = {"classifier.training.steps": 240}  # after 240 of the generator, or 240 + 240 of jdcl


def last(place, strategy, settings=None, **options):
    """Mean over seeds of the accuracy after the last task."""
    name = "-".join(map(str, (strategy, *(settings or {}).values(), *options.values())))
    runs = [
        palimpsest.train(
            "digits", strategy=strategy, seed=seed, set=settings, out=place / f"{name}-{seed}", display=QUIET, **options
        )
        for seed in (0, 1, 2)
    ]
    return mean(run.results["final"]["accuracy"] for run in runs)


def test_the_published_order_comes_out(tmp_path):
    full, replay = last(tmp_path, "jdcl"), last(tmp_path, "dgr_diffusion", SECOND_PHASE)
    plain = last(tmp_path, "finetune", {"learner": "classifier", "classifier.training.steps": 480})
    print(full, replay, plain)
    assert full > replay > plain


def test_the_order_of_the_ablations_comes_out(tmp_path):
    full, alone = last(tmp_path, "jdcl"), last(tmp_path, "jdcl", distil="none")
    separate = last(tmp_path, "jdcl", {"joint.body": "cnn"})
    print(full, separate, alone)
    assert full > separate > alone
