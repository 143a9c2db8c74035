"""Samples of chosen classes."""

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.runs.assembly import new_pipeline
from palimpsest.runs.config import resolve
from palimpsest.runs.models import save_learners
from tests.tiny import called, conditional_denoiser, tiny, tiny_denoiser

NAMES = {0: "cat", 1: "dog", 3: "1"}  # class 2 was not learnt


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    place = tmp_path_factory.mktemp("told") / "model"
    save_learners({"denoiser": conditional_denoiser()}, new_pipeline(resolve(tiny())), NAMES, place)
    return place


def drawn(place, **how) -> torch.Tensor:
    return palimpsest.sample(place, count=6, steps=2, **how)


def test_chosen_classes_take_turns(told):
    """The noise of a row is the same whatever is asked for, so that rows can be compared."""
    alone = {name: drawn(told, classes=[name]) for name in ("dog", "1")}
    assert not torch.allclose(alone["dog"], alone["1"], atol=1e-3)
    both = drawn(told, classes=["dog", "1"])
    torch.testing.assert_close(both[::2], alone["dog"][::2])
    torch.testing.assert_close(both[1::2], alone["1"][1::2])


def test_text_is_a_name_first_a_number_is_a_number_and_all_are_the_default(told):
    """The class that is called 1 has the number 3, and number 1 is another."""
    assert torch.equal(drawn(told, classes=["1", 0, "1"]), drawn(told, classes=[3, "cat"]))
    assert torch.equal(drawn(told, classes=[1]), drawn(told, classes=["dog"]))
    assert torch.equal(drawn(told, classes=["3"]), drawn(told, classes=[3]))
    assert torch.equal(drawn(told), drawn(told, classes=["cat", "dog", 3]))


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (["dgo"], 'unknown class "dgo". Did you mean "dog"[?] Legal: 1, cat, dog[.]'),
        ([2], 'unknown class "2"'),
        ([], "no class was asked for.* cat, dog, 1"),
    ],
)
def test_classes_that_were_not_learnt_are_refused(told, classes, sentence):
    with pytest.raises(RequestError, match=sentence):
        drawn(told, classes=classes)


def test_a_generator_that_is_not_told_of_classes_is_asked_for_none(tmp_path):
    save_learners({"denoiser": tiny_denoiser()}, new_pipeline(resolve(tiny())), {}, tmp_path / "model")
    with pytest.raises(RequestError, match="is not told of classes"):
        drawn(tmp_path / "model", classes=[1])


def test_the_command_takes_names_and_numbers(told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few = ("--count", 4, "--steps", 2)
    assert called(monkeypatch, capsys, "sample", told, "--classes", "dog, 3", "--out", "a.png", *few)[0] == 0
    code, _, error = called(monkeypatch, capsys, "sample", told, "--classes", "dog,2", "--out", "b.png", *few)
    assert code == 2 and 'unknown class "2"' in error and [path.name for path in tmp_path.iterdir()] == ["a.png"]
