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


@pytest.fixture(scope="module")
def last(tmp_path_factory):
    """Mean over seeds of the accuracy after the last task; no run is made twice."""
    place, known = tmp_path_factory.mktemp("runs"), {}

    def measured(strategy, settings=None, **options):
        name = "-".join(map(str, (strategy, *(settings or {}).values(), *options.values())))
        for seed in () if name in known else (0, 1, 2):
            how = {"strategy": strategy, "seed": seed, "set": settings, "out": place / f"{name}-{seed}"}
            run = palimpsest.train("digits", display=QUIET, **how, **options)
            known.setdefault(name, []).append(run.results["final"]["accuracy"])
        return mean(known[name])

    return measured


def test_the_published_order_comes_out(last):
    full, replay = last("jdcl"), last("dgr_diffusion", SECOND_PHASE)
    plain = last("finetune", {"learner": "classifier", "classifier.training.steps": 480})
    print(full, replay, plain)
    assert full > replay > plain


def test_the_order_of_the_ablations_comes_out(last):
    full, alone, separate = last("jdcl"), last("jdcl", distil="none"), last("jdcl", {"joint.body": "cnn"})
    print(full, separate, alone)
    assert full > separate > alone
