"""Measuring again: the same numbers where nothing changed, others where something did."""

import json

import pytest
import torch
from PIL import Image
from rich.console import Console

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.reports.results import load_results
from palimpsest.runs.display import Display
from palimpsest.runs.folder import RunFolder
from tests.tiny import QUIET, tiny

TABLES = tiny(
    evaluation={"samples": 60, "long_steps": 4},
    classifier={"strategy": "auto", "training": {"steps": 3, "batch": 8}},
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return palimpsest.train(TABLES, out=tmp_path_factory.mktemp("runs") / "run", display=QUIET)


def of_tasks(results: dict, *left_out: str) -> list[dict]:
    return [{name: found for name, found in task.items() if name not in left_out} for task in results["tasks"]]


def test_a_run_measured_again_gives_the_same_numbers(run):
    again = palimpsest.evaluate(run.path, display=QUIET)
    of_training = ("seconds", "replay", "seen")
    assert of_tasks(again, *of_training) == of_tasks(run.results, *of_training)
    for name in ("final", "accuracy_matrix", "extractor", "evaluator", "samplers", "counts", "strategy", "cost"):
        assert again[name] == run.results[name]


def test_another_sampler_changes_what_depends_on_it_and_nothing_else(run):
    again = palimpsest.evaluate(run.path, set={"evaluation.steps": 5}, display=QUIET)
    assert again["samplers"] == {"own": "ddim-5", "long": "ddim-4"}
    assert again["final"]["fid"] != run.results["final"]["fid"]
    assert again["final"]["fid_long"] == run.results["final"]["fid_long"]
    assert again["final"]["accuracy"] == run.results["final"]["accuracy"]
    assert again["tasks"][1]["denoising_error"] == run.results["tasks"][1]["denoising_error"]


def test_what_is_written_is_read_like_a_run_and_nothing_is_overwritten(run, tmp_path):
    out, before = tmp_path / "again", (run.path / "results.json").read_bytes()
    results = palimpsest.evaluate(run.path, out=out, set={"evaluation.steps": 5}, display=QUIET)
    assert load_results(out).final == results["final"]
    assert (out / "samples" / "task_2_long.png").exists()
    assert RunFolder(out).config.read_text() != RunFolder(run.path).config.read_text()
    with pytest.raises(RequestError, match="is there already, and an evaluation gets a new folder; choose another --out[.]$"):
        palimpsest.evaluate(run.path, out=out, display=QUIET)
    assert (run.path / "results.json").read_bytes() == before


def pictures(folder, classes, count: int = 12, size: int = 8) -> None:
    """Class folders of noise, for training and for testing."""
    random = torch.Generator().manual_seed(0)
    for part in ("train", "test"):
        for name in classes:
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(count):
                shades = torch.randint(0, 256, (size, size), dtype=torch.uint8, generator=random).numpy()
                Image.fromarray(shades).save(place / f"{number}.png")


def test_a_single_model_is_measured_against_data_of_ones_own(run, tmp_path):
    pictures(tmp_path / "data", ["noise", "more noise"])
    model, settings = run.path / "models" / "task_1", {"evaluation.samples": 30, "evaluation.evaluator.steps": 2}
    found = palimpsest.evaluate(model, data=tmp_path / "data", set=settings, display=QUIET)
    assert found["class_names"] == ["more noise", "noise"] and found["task_count"] == 1 and found["finished"]
    assert found["final"]["kid"] > 0 and "fid_long" in found["final"]
    assert "accuracy" not in found["final"], "the classifier beside it knows other classes"
    with pytest.raises(RequestError, match="is one model and not a run; say what to measure it against with --data"):
        palimpsest.evaluate(model, display=QUIET)


def test_data_that_does_not_fit_is_refused(run, tmp_path):
    pictures(tmp_path / "two", ["a", "b"])
    with pytest.raises(RequestError, match="class 2, which is unknown|10 classes, and the data 2"):
        palimpsest.evaluate(run.path, data=tmp_path / "two", display=QUIET)
    with pytest.raises(RequestError, match="--data .* is not a folder"):
        palimpsest.evaluate(run.path, data=tmp_path / "nowhere", display=QUIET)
    with pytest.raises(RequestError, match="not a run directory"):
        palimpsest.evaluate(tmp_path, display=QUIET)
    pictures(tmp_path / "ten", [f"digit {number}" for number in range(10)], count=2)
    with pytest.raises(RequestError, match="the run's classes are 0, 1, .* and the data's digit 0"):
        palimpsest.evaluate(run.path, data=tmp_path / "ten", display=QUIET)


def test_pictures_are_brought_to_the_models_size(run, tmp_path):
    pictures(tmp_path / "data", ["a", "b"], size=10)
    settings = {"evaluation.samples": 30, "evaluation.evaluator.steps": 2, "evaluation.long_steps": 0}
    found = palimpsest.evaluate(run.path / "models" / "task_1", data=tmp_path / "data", set=settings, display=QUIET)
    assert found["final"]["kid"] > 0


def test_an_evaluation_is_no_run_to_go_on_with(run, tmp_path):
    palimpsest.evaluate(run.path, out=tmp_path / "again", set={"evaluation.steps": 3}, display=QUIET)
    with pytest.raises(RequestError, match="is not a run but an evaluation of"):
        palimpsest.resume(tmp_path / "again", display=QUIET)
    for ask in (palimpsest.sample, palimpsest.evaluate):
        with pytest.raises(RequestError, match=f"an evaluation of {run.path}, .* no models; give {run.path}[.]$"):
            ask(tmp_path / "again")


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(run, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("palimpsest.runs.evaluating.find_machine", lambda options: pytest.fail("it has begun"))
    with pytest.raises(RequestError, match="nothing can be written to .*file/again"):
        palimpsest.evaluate(run.path, out=tmp_path / "file" / "again", display=QUIET)


def test_the_bar_says_which_task_is_measured(run, capsys):
    display = Display(console=Console(force_terminal=True, width=80))
    palimpsest.evaluate(run.path, display=display)
    shown = capsys.readouterr().out
    assert "task 1/2: samples" in shown and "task 2/2: samples" in shown


def test_damage_is_a_sentence(run, tmp_path):
    import shutil

    part = tmp_path / "part"
    shutil.copytree(run.path, part)
    (part / "models" / "task_1 copy").mkdir()
    shutil.rmtree(part / "models" / "task_1")
    found = palimpsest.evaluate(part, display=QUIET)
    assert [task["number"] for task in found["tasks"]] == [2] and "denoising_error" not in found["tasks"][0]
    (part / "models" / "task_2" / "classifier.safetensors").write_bytes(b"cut off")
    with pytest.raises(RequestError, match="the classifier in .* cannot be opened"):
        palimpsest.evaluate(part, display=QUIET)
    (part / "results.json").write_text("{")
    with pytest.raises(RequestError, match="is missing or damaged; resume the run"):
        palimpsest.evaluate(part, display=QUIET)


def test_an_unfinished_run_is_measured_as_far_as_it_goes(run, tmp_path):
    import shutil

    part = tmp_path / "part"
    shutil.copytree(run.path, part)
    shutil.rmtree(part / "models" / "task_2")
    found = palimpsest.evaluate(part, display=QUIET)
    assert not found["finished"] and len(found["tasks"]) == 1 and found["final"] == {}
    shutil.rmtree(part / "models" / "task_1")
    with pytest.raises(RequestError, match="has no model yet"):
        palimpsest.evaluate(part, display=QUIET)
    assert json.loads((run.path / "results.json").read_text())["finished"]
