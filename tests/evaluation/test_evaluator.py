"""The evaluator: training by address, the cache, and the one that ships with the package."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, generator
from palimpsest.evaluation import evaluator_cache
from palimpsest.evaluation.evaluator import BATCH, Evaluator, SmallCNN
from palimpsest.evaluation.evaluator_cache import address, load_evaluator
from palimpsest.evaluation.evaluator_training import augment, measure_accuracy, sha256_of, train_evaluator, weights
from palimpsest.evaluation.make_digits_evaluator import main as make
from palimpsest.evaluation.options import EvaluatorOptions
from palimpsest.evaluation.pictures import digest
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.pictures import Pictures

QUICK = EvaluatorOptions(steps=60, batch=32, features=8)


@dataclass(frozen=True)
class Stream:
    class_names: tuple[str, ...]
    train: Pictures
    test: Pictures


def bars(count: int, seed: int) -> Pictures:
    """Three classes of 6×6 pictures: a bright bar at the left, in the middle, at the right, in noise."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    pixels = torch.randint(0, 100, (count, 1, 6, 6), generator=random)
    for place, label in enumerate(labels.tolist()):
        pixels[place, :, :, 2 * label : 2 * label + 2] += 150
    return Pictures(pixels.byte(), labels)


STREAM = Stream(("left", "middle", "right"), bars(120, 0), bars(60, 1))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "evaluators"


@pytest.fixture
def trainings(monkeypatch) -> list[int]:
    """One entry for every training that the cache asks for."""
    done = []

    def counted(*arguments):
        done.append(1)
        return train_evaluator(*arguments)

    monkeypatch.setattr(evaluator_cache, "train_evaluator", counted)
    return done


def digits():
    return open_stream(StreamOptions(name="digits"), 0, "cpu")


@pytest.mark.parametrize("size", [(8, 8), (6, 6), (16, 16), (28, 28), (9, 20), (3, 3)])
def test_the_network_takes_any_size_and_splits_into_features_and_classes(size):
    network = SmallCNN(3, classes=7, features=12, size=size).eval()
    x = torch.rand(2, 3, *size) * 2 - 1
    features = network.features(x)
    assert features.shape == (2, 12)
    torch.testing.assert_close(network(x), network.classify(features))
    assert network(x).shape == (2, 7)


def test_training_is_a_function_of_data_and_recipe():
    def trained(**changes) -> Evaluator:
        return train_evaluator(STREAM.train, STREAM.test, 3, QUICK.model_copy(update=changes))

    first = trained()
    torch.randn(3)  # the global random state plays no part
    assert weights(trained().module) == weights(first.module)
    assert trained(seed=1).sha256 != first.sha256
    assert first.sha256 == sha256_of(weights(first.module))
    assert first.accuracy > 0.9


def test_training_leaves_threads_and_global_random_state_as_they_were():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        state = torch.get_rng_state()
        train_evaluator(STREAM.train, STREAM.test, 3, QUICK.model_copy(update={"steps": 2}))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_augmentation_moves_each_picture_by_at_most_one_pixel():
    x = torch.full((200, 1, 7, 7), -1.0)
    x[:, :, 3, 3] = 9
    moved = augment(x, Random(generator("augment")))
    places = moved.flatten(1).argmax(dim=1)
    assert set(places.tolist()) == {7 * row + column for row in (2, 3, 4) for column in (2, 3, 4)}
    assert (moved.flatten(1).sort(dim=1).values[:, :-1] + 1).std() == pytest.approx(0.1, abs=0.01)


def test_answers_do_not_depend_on_how_many_pictures_are_asked_about_at_once():
    evaluator = train_evaluator(STREAM.train, STREAM.test, 3, QUICK)
    x = STREAM.test.take(torch.arange(60))[0].repeat(10, 1, 1, 1)
    features, labels = evaluator.answer(x)
    assert len(x) > BATCH and not features.requires_grad
    torch.testing.assert_close(features[:60], evaluator.features(x[:60]))
    torch.testing.assert_close(features[-60:], features[:60])
    assert torch.equal(labels, evaluator.labels(x)) and labels.dtype == torch.int64


def test_an_evaluator_without_test_pictures_is_refused():
    with pytest.raises(RequestError, match="120 and 0"):
        train_evaluator(STREAM.train, STREAM.test.of_classes([7]), 3, QUICK)


def test_the_cache_trains_once_and_gives_the_same_evaluator_again(trainings, own_cache):
    said = []
    first = load_evaluator(STREAM, QUICK, said.append)
    again = load_evaluator(STREAM, QUICK, said.append)
    assert len(trainings) == 1 and len(said) == 2 and "60 steps" in said[0] and f"{first.accuracy:.2%}" in said[1]
    assert again.record == first.record and weights(again.module) == weights(first.module)
    (folder,) = (place for place in own_cache.iterdir() if place.is_dir())
    assert sha256_of((folder / "evaluator.safetensors").read_bytes()) == first.sha256


def test_of_two_that_want_the_same_evaluator_one_trains_and_one_waits(trainings):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: load_evaluator(STREAM, QUICK), range(2)))
    assert len(trainings) == 1 and found[0].sha256 == found[1].sha256


def test_other_pictures_or_another_recipe_are_another_entry(trainings):
    load_evaluator(STREAM, QUICK)
    load_evaluator(STREAM, QUICK.model_copy(update={"seed": 1}))
    load_evaluator(replace(STREAM, train=bars(120, 2)), QUICK)
    assert len(trainings) == 3


def test_an_option_that_a_later_version_adds_leaves_the_address_as_it_is():
    class Later(EvaluatorOptions):
        smoothing: float = 0.0

    assert address(STREAM, Later(steps=60)) == address(STREAM, EvaluatorOptions(steps=60))
    assert address(STREAM, Later(steps=60, smoothing=0.1)) != address(STREAM, EvaluatorOptions(steps=60))
    kinds = [EvaluatorOptions(), EvaluatorOptions(steps=1500), EvaluatorOptions(kind="resnet18")]
    assert len({address(STREAM, options) for options in kinds}) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "evaluator.safetensors").unlink(),
        lambda folder: (folder / "evaluator.safetensors").write_bytes(b"cut off"),
        lambda folder: (folder / "evaluator.json").write_text("{"),
        lambda folder: (folder / "evaluator.json").write_text("{}"),
    ],
)
def test_a_damaged_entry_is_made_again(damage, trainings, own_cache):
    whole = load_evaluator(STREAM, QUICK)
    (folder,) = (place for place in own_cache.iterdir() if place.is_dir())
    damage(folder)
    assert load_evaluator(STREAM, QUICK).sha256 == whole.sha256
    assert load_evaluator(STREAM, QUICK).sha256 == whole.sha256
    assert len(trainings) == 2


def test_what_a_killed_process_left_behind_is_cleared_away(trainings, own_cache):
    whole = load_evaluator(STREAM, QUICK)
    (folder,) = (place for place in own_cache.iterdir() if place.is_dir())
    folder.rename(folder.with_name(f".{folder.name}.tmp"))
    assert load_evaluator(STREAM, QUICK).sha256 == whole.sha256
    assert [place for place in own_cache.iterdir() if place.is_dir()] == [folder]


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "file"))
    with pytest.raises(RequestError, match="PALIMPSEST_CACHE"):
        load_evaluator(STREAM, QUICK)


def test_the_digest_names_content_and_order_not_place():
    pictures = bars(30, 0)
    assert digest(pictures) == digest(bars(30, 0)) == digest(pictures.subset(torch.arange(30)))
    assert len({digest(pictures), digest(bars(30, 1)), digest(pictures.subset(torch.arange(30).flip(0)))}) == 3


def test_the_digits_evaluator_ships_with_the_package(trainings, own_cache):
    """Its accuracy is what its record says, at least 97 %; nothing is trained and no cache is made."""
    stream = digits()
    evaluator = load_evaluator(stream)
    assert not trainings and not own_cache.exists()
    assert evaluator.accuracy >= 0.97
    assert measure_accuracy(evaluator, stream.test) == evaluator.accuracy
    assert evaluator.features(stream.test.take(torch.arange(4))[0]).shape == (4, 32)


def test_the_shipped_evaluator_serves_every_class_order():
    other = open_stream(StreamOptions(name="digits", tasks=2), 7, "cpu")
    assert load_evaluator(other).sha256 == load_evaluator(digits()).sha256


def test_the_command_that_makes_the_shipped_one_gives_the_same_bytes_again(tmp_path, monkeypatch, capsys):
    quick = EvaluatorOptions(steps=30)
    monkeypatch.setattr("palimpsest.evaluation.make_digits_evaluator.EvaluatorOptions", lambda: quick)
    for name in ("a", "b"):
        monkeypatch.setattr("sys.argv", ["make", "--out", str(tmp_path / name)])
        make()
    files = [sorted((tmp_path / name).iterdir()) for name in ("a", "b")]
    assert [path.name for path in files[0]] == ["digits_evaluator.json", "digits_evaluator.safetensors"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    record = json.loads(files[0][0].read_text())
    assert record["recipe"] == quick.model_dump() and f"{record['accuracy']:.2%}" in capsys.readouterr().out
