"""Measures of generation on the digits: what a perfect, a forgetful and a broken generator score."""

import re
import subprocess
import sys

import pytest
import torch

from palimpsest.evaluation import catalog
from palimpsest.evaluation.described import Described, describe_reference, describe_samples
from palimpsest.evaluation.evaluator_cache import load_evaluator
from palimpsest.evaluation.extractors import load_extractor
from palimpsest.evaluation.fid import frechet_distance, statistics
from palimpsest.evaluation.kid import kernel_distance
from palimpsest.evaluation.measures import measure_generation, measure_groups
from palimpsest.evaluation.neighbours import prdc
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions

OF_GENERATION = {
    "fid", "kid", "kid_se", "precision", "recall", "density", "coverage", "kld", "total_variation"
}  # fmt: skip
OF_CLASSES = {"accuracy", "last_accuracy", "average_incremental_accuracy", "forgetting", "backward_transfer"}


@pytest.fixture(scope="module")
def stream():
    return open_stream(StreamOptions(name="digits"), 0, "cpu")


@pytest.fixture(scope="module")
def evaluator(stream):
    return load_evaluator(stream)


@pytest.fixture
def real(stream, evaluator):
    """The training pictures as a reference."""
    return describe_reference(stream.train, load_extractor("evaluator", evaluator))


@pytest.fixture
def made(evaluator):
    """Pictures as if they were samples."""
    return lambda x: describe_samples(x, evaluator, load_extractor("evaluator", evaluator))


def pictures(reference) -> torch.Tensor:
    return reference.take(torch.arange(len(reference)))[0]


def test_the_training_pictures_themselves_score_perfectly(stream, real, made):
    measures, warnings = measure_generation(made(pictures(stream.train)), real, 10)
    assert measures["fid"] == pytest.approx(0, abs=1e-6)
    assert measures["precision"] == measures["recall"] == measures["coverage"] == 1
    assert measures["kld"] < 1e-3 and measures["total_variation"] < 0.01  # the evaluator errs on a few
    assert len(warnings) == 1 and "would give" in warnings[0]  # an fid of 0 is less than its bias


def test_the_numbers_are_those_of_their_parts(stream, evaluator, real, made):
    x, three = pictures(stream.test), real.of_classes([0, 1, 2])
    measures, _ = measure_generation(made(x), three, 10)
    features, labels = evaluator.answer(x)
    assert measures["fid"] == pytest.approx(
        frechet_distance(statistics(features), statistics(three.features)), rel=1e-12
    )
    assert (measures["kid"], measures["kid_se"]) == kernel_distance(features, three.features)
    found = prdc(three.features, features)
    assert {name: measures[name] for name in found} == found
    p, q = ((torch.bincount(each, minlength=10) / len(each)).double() for each in (three.labels, labels))
    assert measures["kld"] == pytest.approx(float((p * ((p + 1e-8).log() - (q + 1e-8).log())).sum()), rel=1e-5)
    assert measures["total_variation"] == pytest.approx(float((p - q).abs().sum() / 2), rel=1e-5)


def test_forgetting_classes_costs_more_the_more_are_forgotten(stream, real, made):
    def scores(kept: range) -> dict[str, float]:
        return measure_generation(made(pictures(stream.train.of_classes(kept))), real, 10)[0]

    ten, nine, two = scores(range(10)), scores(range(1, 10)), scores(range(8, 10))
    for name in ("fid", "kid", "kld", "total_variation"):
        assert ten[name] < nine[name] < two[name]
    for name in ("recall", "coverage"):
        assert ten[name] > nine[name] > two[name]
    assert two["precision"] == 1, "what is made is real"
    assert 1.2 < nine["kld"] < 1.6
    assert two["total_variation"] == pytest.approx(0.8, abs=0.02)


def test_groups_are_measured_by_themselves(stream, evaluator, real, made):
    """Of the tasks {0, 1} and {2, 3} only the first is made: it is there twice as often as due, and the other not."""
    seen = real.of_classes(range(4))
    samples = made(pictures(stream.train.of_classes([0, 1])))
    first, second = measure_groups(samples, seen, [(0, 1), (2, 3)])
    assert first["frequency"] > 0.98 and second["frequency"] < 0.02
    assert first["due"] == pytest.approx(0.5, abs=0.02) and first["due"] + second["due"] == pytest.approx(1)
    assert first["fid"] < 1, "the same pictures, but for those that the evaluator takes for others"
    assert "fid" not in second, "too few for a covariance: absent, never 0"


@pytest.mark.parametrize("noise", [lambda x: x * 2 - 1, lambda x: torch.sign(x - 0.5), torch.ones_like])
def test_noise_is_further_than_a_generator_that_forgot_all_classes_but_one(stream, real, made, noise):
    x = noise(torch.rand(500, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    fid = measure_generation(made(x), real, 10)[0]["fid"]
    for digit in range(10):
        kept = made(pictures(stream.train.of_classes([digit])))
        assert measure_generation(kept, real, 10)[0]["fid"] < fid


def test_too_few_samples_for_fid_are_measured_with_a_warning_that_says_how_many(stream, real, made):
    measures, (warning,) = measure_generation(made(pictures(stream.test)[:20]), real, 10)
    assert set(measures) == OF_GENERATION
    assert re.search(r"20 samples .* 32 features; use at least 33, .* or read kid", warning)
    small = real.of_classes([3])
    (warning,) = measure_generation(made(pictures(stream.test)), Described(small.features[:20], small.labels[:20]), 10)[
        1
    ]
    assert "20 reference pictures cannot fill" in warning


def test_a_small_fid_from_few_samples_says_how_much_of_it_is_bias(stream, real, made):
    measures, (warning,) = measure_generation(made(pictures(stream.test)), real, 10)
    said = float(re.search(r"about ([\d.]+) is what", warning)[1])
    assert 0 < said and measures["fid"] < 10 * said


def test_hardly_any_samples_give_no_number_and_a_warning(stream, real, made):
    measures, warnings = measure_generation(made(pictures(stream.test)[:3]), real, 10)
    assert measures == {} and "there are 3 and" in warnings[0]


def test_every_measure_is_in_the_catalog_and_the_catalog_needs_no_torch():
    others = {"memorisation", "memorisation_se", "accuracy_probe", "accuracy_softmax", "accuracy_nearest_mean"}
    others |= {"average_incremental_accuracy_softmax", "average_incremental_accuracy_nearest_mean"}
    others |= {"accuracy_old", "accuracy_new", "base_forgetting", "coverage_old", "density_old"}
    assert OF_GENERATION | OF_CLASSES | others == set(catalog.MEASURES)
    for name, entry in catalog.MEASURES.items():
        known = ("lower is better", "higher is better")
        assert entry.name == name and (entry.direction in known) == (not name.endswith("_se"))
        assert entry.unit and entry.taken_over and re.fullmatch(r"[A-Z].*\.", entry.description)
    check = "import sys, palimpsest.evaluation.catalog; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_catalog_orders_names_and_knows_the_long_sampler():
    mixed = ["kld_long", "zebra", "total_variation", "fid_long", "kld", "fid"]
    assert catalog.in_order(mixed) == ["fid", "kld", "total_variation", "fid_long", "kld_long", "zebra"]
    assert catalog.find("fid_long") is catalog.MEASURES["fid"] and catalog.find("zebra") is None
    assert catalog.find("kld").arrow == "↓"
