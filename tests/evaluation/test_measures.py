"""Measures of generation on the digits: what a perfect, a forgetful and a broken generator score."""

import re
import subprocess
import sys

import pytest
import torch

from palimpsest.evaluation import catalog
from palimpsest.evaluation.evaluator_cache import load_evaluator
from palimpsest.evaluation.fid import frechet_distance, statistics
from palimpsest.evaluation.measures import MEASURES, References, measure_generation
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions


@pytest.fixture(scope="module")
def stream():
    return open_stream(StreamOptions(name="digits"), 0, "cpu")


@pytest.fixture(scope="module")
def evaluator(stream):
    return load_evaluator(stream)


def pictures(reference) -> torch.Tensor:
    return reference.take(torch.arange(len(reference)))[0]


def test_the_training_pictures_themselves_score_perfectly(stream, evaluator):
    measures, warnings = measure_generation(pictures(stream.train), stream.train, evaluator, 10)
    assert measures["fid"] == pytest.approx(0, abs=1e-6)
    assert measures["kld"] < 1e-3 and measures["total_variation"] < 0.01  # the evaluator errs on a few
    assert not warnings


def test_the_numbers_are_those_of_their_parts(stream, evaluator):
    reference, made = stream.train.of_classes([0, 1, 2]), pictures(stream.test)
    measures, _ = measure_generation(made, reference, evaluator, 10)
    parts = [statistics(evaluator.features(x)) for x in (made, pictures(reference))]
    assert measures["fid"] == pytest.approx(frechet_distance(*parts), rel=1e-12)
    labels = evaluator.labels(made)
    p, q = ((torch.bincount(each, minlength=10) / len(each)).double() for each in (reference.labels, labels))
    assert measures["kld"] == pytest.approx(float((p * ((p + 1e-8).log() - (q + 1e-8).log())).sum()), rel=1e-5)
    assert measures["total_variation"] == pytest.approx(float((p - q).abs().sum() / 2), rel=1e-5)


def test_forgetting_classes_costs_more_the_more_are_forgotten(stream, evaluator):
    def scores(kept: range) -> dict[str, float]:
        return measure_generation(pictures(stream.train.of_classes(kept)), stream.train, evaluator, 10)[0]

    ten, nine, two = scores(range(10)), scores(range(1, 10)), scores(range(8, 10))
    for name in MEASURES:
        assert ten[name] < nine[name] < two[name]
    assert 1.2 < nine["kld"] < 1.6
    assert two["total_variation"] == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("noise", [lambda x: x * 2 - 1, lambda x: torch.sign(x - 0.5), torch.ones_like])
def test_noise_is_further_than_a_generator_that_forgot_all_classes_but_one(stream, evaluator, noise):
    made = noise(torch.rand(500, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    fid = measure_generation(made, stream.train, evaluator, 10)[0]["fid"]
    for digit in range(10):
        kept = pictures(stream.train.of_classes([digit]))
        assert measure_generation(kept, stream.train, evaluator, 10)[0]["fid"] < fid


def test_a_reference_set_is_described_once_by_content(stream, evaluator, monkeypatch):
    references, samples = References(), pictures(stream.test)
    first, _ = measure_generation(samples, stream.train, evaluator, 10, references)
    monkeypatch.setattr("palimpsest.evaluation.measures.describe_reference", None)  # not needed again
    again, _ = measure_generation(
        samples, stream.train.subset(torch.arange(len(stream.train))), evaluator, 10, references
    )
    assert again == first


def test_only_so_many_references_are_remembered(stream, evaluator):
    references = References(limit=2)
    for digit in (0, 1, 2):
        references.describe(stream.test.of_classes([digit]), evaluator)
    assert len(references.described) == 2


def test_too_few_samples_are_measured_with_a_warning_that_says_how_many(stream, evaluator):
    measures, (warning,) = measure_generation(pictures(stream.test)[:20], stream.train, evaluator, 10)
    assert set(measures) == {"fid", "kld", "total_variation"}
    assert re.search(r"20 samples .* 32 features; use at least 33", warning)


def test_a_single_sample_and_a_small_reference_do_not_crash(stream, evaluator):
    measures, warnings = measure_generation(pictures(stream.test)[:1], stream.test.of_classes([3]), evaluator, 10)
    assert measures["fid"] > 0 and len(warnings) == 2 and "reference pictures" in warnings[1]


def test_broken_samples_give_no_number_and_a_warning(stream, evaluator):
    samples = pictures(stream.test).clone()
    samples[3, 0, 2, 2] = float("nan")
    measures, warnings = measure_generation(samples, stream.train, evaluator, 10)
    assert measures == {} and f"1 of {len(samples)}" in warnings[0]
    assert measure_generation(samples[:0], stream.train, evaluator, 10)[0] == {}


def test_every_measure_is_in_the_catalog_and_the_catalog_needs_no_torch():
    assert set(MEASURES) == set(catalog.MEASURES)
    for name, entry in catalog.MEASURES.items():
        assert entry.name == name and entry.direction in ("lower is better", "higher is better")
        assert entry.unit and re.fullmatch(r"[A-Z].*\.", entry.description)
    check = "import sys, palimpsest.evaluation.catalog; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_catalog_orders_names_and_knows_the_long_sampler():
    mixed = ["kld_long", "zebra", "total_variation", "fid_long", "kld", "fid"]
    assert catalog.in_order(mixed) == ["fid", "kld", "total_variation", "fid_long", "kld_long", "zebra"]
    assert catalog.find("fid_long") is catalog.MEASURES["fid"] and catalog.find("zebra") is None
    assert catalog.find("kld").arrow == "↓"
