"""Which runs a study asks for: values, names, combinations."""

import re
from pathlib import Path

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.runs.config import resolve, to_toml
from palimpsest.runs.tables import read_experiment
from palimpsest.studies.axes import parse_axes, parse_seeds
from palimpsest.studies.grid import methods_of, plan
from tests.tiny import tiny


@pytest.fixture
def experiment(tmp_path) -> Path:
    """A tiny experiment as a file."""
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(resolve(tiny())))
    return path


def planned(experiment: Path, strategies: list[str], **axes: list) -> list[str]:
    tables = read_experiment(experiment)
    axes = {key.replace("__", "."): values for key, values in axes.items()}
    return [each.name for each in plan(tables, methods_of(tables, strategies, axes), (0,))]


def test_a_strategys_own_setting_varies_that_strategy_alone(experiment):
    names = planned(experiment, ["joint", "lwf"], strategy__lwf__strength=[1.25, 2.0], training__batch=[8, 16])
    assert names == [
        "joint-seed0",
        "joint-training.batch16-seed0",
        "lwf-seed0",
        "lwf-training.batch16-seed0",
        "lwf-strength2.0-seed0",
        "lwf-training.batch16-strength2.0-seed0",
    ]


def test_values_become_names_of_files_and_stay_apart(experiment):
    one, other = planned(experiment, ["joint"], stream__tasks=[[[0], [1, 2]], [[0, 1], [2]]])
    assert one != other and all(name.startswith("joint-stream.tasks0_1_2_") for name in (one, other))
    assert all(letter.isalnum() or letter in ".+-_" for letter in one + other)


def test_a_path_goes_by_its_last_part(experiment):
    """And by a digest of all of it, for two may end alike."""
    places = ["/data/of/mine/pets", "/data/of/others/pets/"]
    names = planned(experiment, ["joint"], synthetic__source=["recorded"], synthetic__path=places)
    expected = r"joint-synthetic\.sourcerecorded-synthetic\.pathpets_[0-9a-f]{6}-seed0"
    assert len(set(names)) == 2 and all(re.fullmatch(expected, name) for name in names)


def test_many_settings_make_a_name_that_a_file_system_takes(experiment):
    many = {f"evaluation__{name}": [7] for name in ("samples", "long_steps", "memorisation", "denoising", "replay")}
    many |= {f"classifier__training__{name}": [7] for name in ("epochs", "batch", "clip_norm")}
    names = planned(experiment, ["joint"], evaluation__evaluator__learning_rate=[0.25, 0.5], **many)
    assert len(set(names)) == 2
    assert all(name.endswith("-seed0") and len(name) < 220 for name in names)


def test_values_are_cut_at_the_commas_outside_brackets_and_quotes():
    assert parse_axes(["a=1,2.5", "b=[1,2],[3]", 'c="x,y",z', "d=", "e={f=[1,2],g=2},3"]) == {
        "a": [1, 2.5],
        "b": [[1, 2], [3]],
        "c": ["x,y", "z"],
        "d": [""],
        "e": [{"f": [1, 2], "g": 2}, 3],
    }
    assert parse_seeds("0, 1,42") == (0, 1, 42) == parse_seeds([0, 1, 42])


def test_a_setting_that_is_given_twice_is_refused():
    with pytest.raises(RequestError, match="--set a is given twice"):
        parse_axes(["a=1", "a=2"])
    with pytest.raises(RequestError, match="takes key=value"):
        parse_axes(["a"])
