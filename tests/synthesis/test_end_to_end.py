"""From a text-to-image model to a report: pictures are drawn, learnt from, and compared with real ones."""

import json
import re
from io import StringIO

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.reports.page import write_report
from palimpsest.runs.events import read_events
from palimpsest.runs.models import open_learners
from palimpsest.synthesis.display import SynthesisDisplay
from tests.synthesis.tiny_model import save_tiny
from tests.tiny import QUIET, same, tiny

CLASSES = ("cat", "dog", "big_eel")


@pytest.fixture
def pets(tmp_path):
    """Twelve colour pictures of each class, told apart by their brightness."""
    return drawn_pets(tmp_path / "pets", 16)


def drawn_pets(place, size):
    random = np.random.default_rng(0)
    for shade, name in enumerate(CLASSES):
        (place / name).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(60 * shade, 60 * shade + 60, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / name / f"{number}.png")
    return place


def tables_of(pets, stream=None, **synthetic):
    pets_in_order = {"name": "pets", "path": str(pets), "tasks": [["cat"], ["dog"], ["big_eel"]]}
    return tiny(
        learner="classifier",
        stream=pets_in_order | (stream or {}),
        classifier={"head": "growing", "training": {"steps": 4, "batch": 8}},
        evaluation={"gap": 50, "reference": "all", "evaluator": {"steps": 5}},
        synthetic=synthetic,
    )


def train(place, pets, stream=None, **synthetic):
    tables = tables_of(pets, stream, **synthetic)
    return palimpsest.train(tables, strategy="lucir", per_class=2, out=place, display=QUIET)


def test_a_model_that_draws_from_text_stands_in_for_what_is_gone(model, prompts, pets, tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    how = {"source": "text_to_image", "path": str(model), "prompts": str(prompts), "per_class": 8}
    run = train(tmp_path / "run", pets, **how)
    (manifest,) = (tmp_path / "cache" / "synthetic").glob("*/manifest.json")
    told = json.loads(manifest.read_text())
    assert [entry["prompt"] for entry in told["classes"]] == ["cat, a pet", "dog, barks", "big eel"]
    assert [task["seen"]["synthetic"] for task in run.results["tasks"]] == [0, 16, 16]
    gap = run.results["tasks"][-1]["synthetic"]
    assert gap["source"] == "text_to_image" and gap["count"] == 16 and {"kid", "pure"} <= gap.keys()
    page = write_report([run.path], run.path / "report.html").read_text(encoding="utf-8")
    assert "Synthetic pictures" in page and "text_to_image" in page
    with Image.open(run.path / "samples" / "synthetic.png") as sheet:
        assert sheet.size == (8 * 34 + 2, 2 * 34 + 2), "eight of each class that was past"
    assert page.count("a row a class, by the label that they carry") == 3, "its alternative text, its region and its caption"
    assert "What is missing" not in page and "Own sampler" not in page, "nothing was to be sampled"

    again = train(tmp_path / "again", pets, source="recorded", path=str(manifest.parent), per_class=8)
    assert again.results["accuracy_matrix"] == run.results["accuracy_matrix"], "drawn before, or on the way"
    first = next(manifest.parent.glob("*/00000.png"))
    Image.new("RGB", (16, 16)).save(first)
    with pytest.raises(RequestError, match="sha256 differs"):
        train(tmp_path / "changed", pets, source="recorded", path=str(manifest.parent), per_class=8)
    assert not (tmp_path / "changed").exists()


def test_drawing_is_estimated_until_it_is_done(model, prompts, pets, tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    how = {"source": "text_to_image", "path": str(model), "prompts": str(prompts), "per_class": 8, "steps": 20}
    before = palimpsest.estimate(tables_of(pets, **how), strategy="lucir", per_class=2)
    assert before.drawing_seconds > 0 and before.hours > before.drawing_seconds / 3600
    assert not (tmp_path / "cache" / "synthetic").exists()
    train(tmp_path / "run", pets, **how)
    assert palimpsest.estimate(tables_of(pets, **how), strategy="lucir", per_class=2).drawing_seconds == 0
    with pytest.raises(RequestError, match="there is no folder .gone."):
        palimpsest.estimate(tables_of(pets, **how | {"path": "gone"}), strategy="lucir", per_class=2)


def test_a_folder_without_a_class_that_will_be_past_is_refused(pets, tmp_path):
    """The last task's class needs none."""
    some = tmp_path / "some"
    some.mkdir()
    for name in CLASSES[:1]:
        (some / name).symlink_to(pets / name)
    with pytest.raises(RequestError, match="has no pictures of 1 of the 2 classes that were asked for .dog."):
        train(tmp_path / "run", pets, source="recorded", path=str(some), per_class=8)
    (some / "dog").symlink_to(pets / "dog")
    train(tmp_path / "run", pets, source="recorded", path=str(some), per_class=8)


def test_guidance_steps_and_prompts_are_settings_of_a_run(model, prompts, pets, tmp_path, monkeypatch):
    """So that a study varies them; what nobody reads is refused."""
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    how = {"source": "text_to_image", "path": str(model), "prompts": str(prompts), "per_class": 2}
    train(tmp_path / "run", pets, **how, guidance=4.0, steps=2, template="{name}")
    (manifest,) = (tmp_path / "cache" / "synthetic").glob("*/manifest.json")
    told = json.loads(manifest.read_text())
    assert [entry["prompt"] for entry in told["classes"]] == ["cat", "dog", "big eel"]
    assert (told["guidance"], told["steps"]) == (4.0, 2)
    for name, value in {"guidance": 2.0, "template": "{name}", "steps": 5, "seed": 1, "revision": "main"}.items():
        with pytest.raises(RequestError, match=f"{name} is of .*source = .recorded."):
            train(tmp_path / "wrong", pets, source="recorded", path=str(manifest.parent), per_class=2, **{name: value})


def manifests(cache):
    return [json.loads(path.read_text()) for path in sorted((cache / "synthetic").glob("*/manifest.json"))]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(("native", "wanted", "kept"), [(48, 40, 40), (48, 8, 8), (40, 48, 40)])
def test_pictures_are_kept_as_large_as_the_stream_s_or_as_the_model_draws_them(
    native, wanted, kept, prompts, cache, tmp_path
):
    """And not as thumbnails that are enlarged again."""
    model = save_tiny(tmp_path / "model", size=native)
    pets = drawn_pets(tmp_path / "pets", wanted)
    how = {"source": "text_to_image", "path": str(model), "prompts": str(prompts), "per_class": 2, "steps": 1}
    run = train(tmp_path / "run", pets, **how)
    (manifest,) = manifests(cache)
    assert manifest["size"] == [kept, kept] and manifest["native_size"] == [native, native]
    said = [event["text"] for event in read_events(run.path / "events.jsonl") if event["event"] == "warning"]
    enlarged = [text for text in said if f"are {kept}×{kept}, and the stream's {wanted}×{wanted}" in text]
    assert len(enlarged) == (kept < wanted)


def test_what_synthesize_takes_a_run_passes_on(model, prompts, pets, cache, tmp_path):
    how = {"source": "text_to_image", "path": str(model), "prompts": str(prompts), "per_class": 2, "steps": 2}
    more = {"seed": 7, "sampler": "ddim", "negative": "blurry", "precision": "bf16"}
    train(tmp_path / "run", pets, **how, **more)
    (told,) = manifests(cache)
    assert (told["seed"], told["scheduler"], told["precision"]) == (7, "DDIMScheduler", "bf16")
    assert {entry["negative_prompt"] for entry in told["classes"]} == {"blurry"}
    with pytest.raises(RequestError, match="revision main was given, and .* is a folder"):
        train(tmp_path / "hub", pets, **how, revision="main")
    with pytest.raises(RequestError, match='unknown precision "fp8"'):
        train(tmp_path / "precision", pets, **how, precision="fp8")


def test_the_stream_s_classes_alone_are_drawn_and_once_for_every_order_of_them(model, prompts, pets, cache, tmp_path):
    prompts.write_text(prompts.read_text() + "3,fox,is red\n")
    how = {"source": "text_to_image", "path": str(model), "prompts": str(prompts), "per_class": 2, "steps": 1}
    for place, last in enumerate(CLASSES):
        others = [[name] for name in CLASSES if name != last]
        train(tmp_path / str(place), pets, {"tasks": [*others, [last]]}, **how)
    (told,) = manifests(cache)
    assert [entry["name"] for entry in told["classes"]] == ["cat", "dog", "big eel"]
    prompts.write_text("class_id,name\n0,cat\n1,eel\n2,fox\n")
    with pytest.raises(RequestError, match="which draws the stream's classes: .*prompts.csv lacks 2 of the 3 classes that were asked for .big_eel, dog"):
        train(tmp_path / "missing", pets, **how)


def test_fewer_pictures_are_the_first_of_a_larger_set_that_is_there(model, prompts, pets, cache, tmp_path, monkeypatch):
    how = {"source": "text_to_image", "path": str(model), "prompts": str(prompts), "steps": 1}
    more = train(tmp_path / "more", pets, **how, per_class=9)
    few = train(tmp_path / "few", pets, **how, per_class=3)
    assert [told["count"] for told in manifests(cache)] == [9]
    assert 0 < few.results["cost"]["synthetic_seconds"] == more.results["cost"]["synthetic_seconds"]
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "other"))
    alone = train(tmp_path / "alone", pets, **how, per_class=3)
    assert alone.results["accuracy_matrix"] == few.results["accuracy_matrix"]
    assert same(*(open_learners(run.path / "models" / "task_3")["classifier"] for run in (alone, few)))
    train(tmp_path / "more again", pets, **how, per_class=9)
    assert sorted(told["count"] for told in manifests(tmp_path / "other")) == [3, 9]


def test_how_long_it_takes_is_said_after_the_first_batch_where_there_is_no_terminal(model, prompts, tmp_path):
    console = Console(file=StringIO(), width=200)
    how = {"count": 40, "steps": 1, "batch": 2, "device": "cpu", "display": SynthesisDisplay(console)}
    palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", **how)
    lines = console.file.getvalue().splitlines()
    assert re.fullmatch(r"  2 of 120 pictures: [\d.,]+ pictures/s  left: [\d:]+ *", lines[1]), lines[:3]
