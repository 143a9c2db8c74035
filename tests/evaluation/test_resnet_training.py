"""The ResNet-18 evaluator: what its recipe does to pictures, which epoch it keeps, and its place in the cache."""

from dataclasses import dataclass

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, generator
from palimpsest.evaluation import resnet_training
from palimpsest.evaluation.evaluator_cache import load_evaluator, seconds_to_load
from palimpsest.evaluation.evaluator_training import measure_accuracy, train_evaluator, weights
from palimpsest.evaluation.options import EvaluatorOptions
from palimpsest.evaluation.resnet_training import distorted, placements, split
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.pictures import Pictures

QUICK = EvaluatorOptions(kind="resnet18", epochs=3, batch=36)


@dataclass(frozen=True)
class Stream:
    class_names: tuple[str, ...]
    train: Pictures
    test: Pictures


@pytest.fixture(scope="module")
def stream() -> Stream:
    """Forty zeros and ones."""
    digits = open_stream(StreamOptions(name="digits"), 0, "cpu")
    train, test = (part.of_classes([0, 1]).subset(torch.arange(40)) for part in (digits.train, digits.test))
    return Stream(("zero", "one"), train, test)


def trained(stream: Stream, say=lambda sentence: None, **changes):
    return train_evaluator(stream.train, stream.test, 2, QUICK.model_copy(update=changes), "cpu", say)


def test_the_place_of_a_picture_is_a_flip_a_small_rotation_and_a_small_shift():
    height, width, rows = 6, 12, 400
    found = placements(rows, height / width, Random(generator("placements")))
    pixels = torch.diag(torch.tensor([2 / width, 2 / height]))  # one pixel in coordinates that run from −1 to 1
    turns = pixels.inverse() @ found[:, :, :2] @ pixels
    torch.testing.assert_close(turns @ turns.mT, torch.eye(2).expand(rows, 2, 2), atol=1e-5, rtol=0)
    angles = torch.rad2deg(torch.asin(turns[:, 1, 0]))
    assert -10 <= angles.min() < -9 and 9 < angles.max() <= 10
    assert set(turns.det().round().tolist()) == {-1.0, 1.0} and abs(turns.det().mean()) < 0.15
    assert 0.19 < found[:, :, 2].abs().max() <= 0.2  # a tenth of a width that is 2


def test_what_comes_from_outside_is_black_and_noise_is_a_tenth():
    white = distorted(torch.full((300, 1, 10, 10), 1.0), Random(generator("distorted")))
    black = distorted(torch.full((300, 1, 10, 10), -1.0), Random(generator("distorted")))
    assert black.std() == pytest.approx(0.1, abs=0.003) and black.mean() == pytest.approx(-1, abs=0.003)
    assert white[:, :, 4:6, 4:6].mean() == pytest.approx(1, abs=0.01)
    assert white[:, :, 0, 0].mean() < 0.6, "corners are often outside"


def test_without_turns_shifts_and_noise_a_picture_is_itself_or_its_mirror_image(monkeypatch):
    for name in ("DEGREES", "SHIFT", "NOISE"):
        monkeypatch.setattr(resnet_training, name, 0.0)
    x = torch.rand(20, 2, 6, 9) * 2 - 1
    found = distorted(x, Random(generator("flips")))
    same, mirrored = ((found - other).abs().amax(dim=(1, 2, 3)) < 1e-5 for other in (x, x.flip(3)))
    assert (same ^ mirrored).all() and same.any() and mirrored.any()


def test_validation_pictures_come_from_the_seed_and_are_not_trained_on():
    learned, held = split(50, QUICK)
    assert len(held) == 5 and sorted(torch.cat([learned, held]).tolist()) == list(range(50))
    assert torch.equal(split(50, QUICK)[1], held)
    assert not torch.equal(split(50, QUICK.model_copy(update={"seed": 1}))[1], held)
    with pytest.raises(RequestError, match="1 of 2 are held back"):
        split(2, QUICK)


def test_the_epoch_of_best_validation_accuracy_is_kept(stream, monkeypatch):
    def with_accuracies(*accuracies):
        found, said = iter(accuracies), []
        monkeypatch.setattr(resnet_training, "measure_accuracy", lambda *arguments: next(found))
        return weights(trained(stream, said.append, epochs=len(accuracies)).module), said

    kept, said = with_accuracies(0.2, 0.9, 0.5)
    assert "epoch 1 of 3: validation accuracy 20.00%" in said[0] and "epoch 2: validation accuracy 90.00%" in said[3]
    assert kept == with_accuracies(0.2, 0.9)[0]


@pytest.mark.slow
def test_it_learns_two_digits():
    digits, said = open_stream(StreamOptions(name="digits"), 0, "cpu"), []
    train, test = (part.of_classes([0, 1]) for part in (digits.train, digits.test))
    train, test = train.subset(torch.arange(120)), test.subset(torch.arange(60))
    options = QUICK.model_copy(update={"epochs": 8, "batch": 16, "validation": 0.2})
    evaluator = train_evaluator(train, test, 2, options, "cpu", said.append)
    assert evaluator.accuracy > 0.9 and f"{evaluator.accuracy:.2%}" in said[-1] and len(said) == 8 + 1 + 1


def test_training_leaves_the_global_random_state_alone(stream):
    state = torch.get_rng_state()
    trained(stream, epochs=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_cache_gives_the_same_evaluator_again(stream, tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))
    said = []
    first, again = (load_evaluator(stream, QUICK, said.append) for _ in range(2))
    assert "3 epochs on cpu" in said[0] and len(said) == 1 + 3 + 1 + 1, "trained once"
    assert first.name == "resnet18-512" and again.record == first.record
    assert measure_accuracy(again, stream.test) == first.accuracy
    assert again.features(stream.test.take(torch.arange(3))[0]).shape == (3, 512)


def test_each_kind_has_its_own_defaults_and_what_is_said_wins():
    plain = EvaluatorOptions(kind="resnet18")
    published = {"features": 512, "epochs": 100, "batch": 64, "learning_rate": 5e-4, "validation": 0.1, "steps": 0}
    assert plain.model_dump() == {"kind": "resnet18", "seed": 0, **published}
    assert EvaluatorOptions(kind="resnet18", batch=8).batch == 8 and EvaluatorOptions().steps == 1500
    assert EvaluatorOptions.model_validate_json(plain.model_dump_json()) == plain


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "resnet18", "features": 32}, "512 features, not 32"),
        ({"kind": "resnet18", "steps": 100}, "needs steps to be 0"),
        ({"kind": "resnet18", "epochs": 0}, "needs epochs above 0"),
        ({"kind": "resnet18", "validation": 0}, "needs validation above 0"),
        ({"epochs": 3}, "small_cnn needs epochs to be 0"),
        ({"steps": 0}, "small_cnn needs steps above 0"),
        ({"features": 33}, "2 to 32 features, not 33"),
    ],
)
def test_what_a_kind_has_no_use_for_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        EvaluatorOptions(**options)


def test_what_a_cache_lacks_takes_time_and_what_it_has_takes_none(stream, tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path))
    long = QUICK.model_copy(update={"epochs": 300})
    assert seconds_to_load(stream, long, "cpu") > 5 * seconds_to_load(stream, QUICK, "cpu") > 0
    load_evaluator(stream, QUICK)
    assert seconds_to_load(stream, QUICK, "cpu") == 0 < seconds_to_load(stream, long, "cpu")
