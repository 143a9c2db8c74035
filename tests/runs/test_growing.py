"""A given model that is told of classes, and learns more of them."""

import json

import pytest
import torch
from diffusers import DDIMPipeline

import palimpsest
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.models import open_learners
from tests.runs.test_update import QUICK, contents, write_digits
from tests.tiny import QUIET, interrupted_after, same, tiny

DISTIL = "conditional_generative_distillation"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """It has embeddings for ten digits and for no class, and has learnt 0 to 3."""
    place = tmp_path_factory.mktemp("given") / "run"
    tables = tiny(diffusion={"steps": 60, "untold": 0.2})
    run = palimpsest.train(tables, strategy=DISTIL, teacher_steps=2, out=place, display=QUIET)
    return run.path / "models" / "task_2"


@pytest.fixture
def pictures(tmp_path):
    """One class that it knows, and two that it does not; their folders' names are the classes'."""
    folder = write_digits(tmp_path / "pictures", range(3, 5), by_class=True)
    for place, name in (("4", "four"), ("3", "3")):
        (folder / place).rename(folder / name)
    return folder


def table_of(place):
    return open_pipeline(place)[0].network.class_embedding.weight


def test_its_embeddings_grow_and_the_old_ones_stay(model, pictures, tmp_path):
    before = contents(model)
    options = {"teacher_steps": 2, "reuse": 1, "set": QUICK | {"training.steps": 1, "training.learning_rate": 1e-12}}
    run = palimpsest.update(model, data=pictures, out=tmp_path / "new", display=QUIET, **options)
    assert contents(model) == before and run.results["strategy"] == DISTIL
    old, new = table_of(model), table_of(tmp_path / "new")
    assert (len(old), len(new)) == (11, 12)
    torch.testing.assert_close(new[:10], old[:10])
    torch.testing.assert_close(new[11], old[10])
    record = json.loads((tmp_path / "new" / "classes.json").read_text())
    assert record == {"learnt": {"0": "0", "1": "1", "2": "2", "3": "3", "10": "four"}, "null": 11, "untold": 0.2}
    taught = open_pipeline(tmp_path / "new")[0]
    assert taught.told_of == (0, 1, 2, 3, 10) and taught.null == 11
    assert DDIMPipeline.from_pretrained(tmp_path / "new").unet.config.num_class_embeds == 12
    assert palimpsest.sample(tmp_path / "new", count=6, steps=2).shape == (6, 1, 8, 8)


@pytest.mark.parametrize("strategy", ["finetune", "lwf"])
def test_strategies_for_any_learner_teach_it_too(model, pictures, tmp_path, strategy):
    run = palimpsest.update(model, data=pictures, out=tmp_path / "new", strategy=strategy, set=QUICK, display=QUIET)
    assert run.results["finished"] and open_pipeline(tmp_path / "new")[0].told_of == (0, 1, 2, 3, 10)


def test_what_can_teach_it_is_named(model, pictures, tmp_path):
    fitting = "conditional_generative_distillation, ddgr, dgr_diffusion, finetune, guide, lwf"
    with pytest.raises(palimpsest.RequestError, match=f"strategy joint needs all pictures .*: {fitting}[.]"):
        palimpsest.update(model, data=pictures, out=tmp_path / "new", strategy="joint", set=QUICK, display=QUIET)


def test_interrupted_it_ends_the_same(model, pictures, tmp_path):
    options = {"data": pictures, "set": QUICK, "teacher_steps": 2, "reuse": 1, "display": QUIET}
    palimpsest.update(model, out=tmp_path / "whole", **options)
    with interrupted_after(2):
        palimpsest.update(model, out=tmp_path / "new", **options)
    palimpsest.resume(tmp_path / "new" / "run", display=QUIET)
    ours, theirs = (open_learners(tmp_path / name)["denoiser"] for name in ("new", "whole"))
    assert same(ours, theirs)


def test_it_is_measured_on_data_by_the_names_of_their_classes(model, pictures, tmp_path):
    """ "3" and "four" are the first and the second folder, and the model's classes 3 and 10."""
    options = {"teacher_steps": 2, "reuse": 1, "set": QUICK, "display": QUIET}
    run = palimpsest.update(model, data=pictures, out=tmp_path / "new", **options)
    few = {"evaluation.samples": 20, "evaluation.steps": 2, "evaluation.long_steps": 0, "evaluation.evaluator.steps": 5}
    few |= {"evaluation.reference": "all", "evaluation.memorisation": 0, "stream.test_share": 0.2}
    for place, data in ((run.path, None), (tmp_path / "new", pictures)):
        found = palimpsest.evaluate(place, data=data, set=few, display=QUIET)
        assert found["class_names"][3] == "3" and found["class_names"][10] == "four"
        assert "fid" in found["tasks"][0]["measures"], place
    (pictures / "four").rename(pictures / "five")
    with pytest.raises(palimpsest.RequestError, match="the data's 3, five"):
        palimpsest.evaluate(tmp_path / "new", data=pictures, set=few, display=QUIET)
