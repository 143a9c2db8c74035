"""CLIP's eyes, against transformers' own preparation of pictures and cosines pair by pair."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.evaluation.clip import clip_similarity, load_clip
from palimpsest.evaluation.described import Described
from palimpsest.reports.page import write_report
from tests.tiny import QUIET, tiny

transformers = pytest.importorskip("transformers")
SIDE = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CLIP with random weights that takes pictures of 16×16."""
    torch.manual_seed(0)
    small = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 8,
    }
    vision = small | {"image_size": SIDE, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=small | {"vocab_size": 32}, vision_config=vision, projection_dim=8)
    place = tmp_path_factory.mktemp("clip")
    transformers.CLIPModel(config).save_pretrained(place)
    return place


def test_pictures_are_prepared_as_transformers_prepares_them(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    sides = {"height": SIDE, "width": SIDE}
    processor = transformers.CLIPImageProcessor(size=sides, crop_size=sides)
    prepared = processor([Image.fromarray(each) for each in pixels], return_tensors="pt").pixel_values
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model.visual_projection(model.vision_model(prepared).pooler_output)
    ours = load_clip(str(folder)).features(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1)
    torch.testing.assert_close(ours, expected / expected.norm(dim=1, keepdim=True), atol=1e-5, rtol=1e-4)


def test_gray_and_small_pictures_are_brought_to_its_size(folder):
    seen = load_clip(str(folder)).features(torch.rand(2, 1, 8, 8) * 2 - 1)
    assert seen.shape == (2, 8) and torch.allclose(seen.norm(dim=1), torch.ones(2))


def test_similarity_is_the_mean_cosine_of_pairs():
    torch.manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(11, 4), dim=1)
    made = Described(directions[:5], torch.tensor([0, 0, 0, 1, 2]))
    real = Described(directions[5:], torch.tensor([0, 0, 1, 1, 1, 2]))
    across = {0: [(i, j) for i in (0, 1, 2) for j in (5, 6)], 1: [(3, j) for j in (7, 8, 9)]}
    within = {0: [(5, 6)], 1: [(7, 8), (7, 9), (8, 9)]}

    def mean(pairs):
        return np.mean([float(directions[i] @ directions[j]) for i, j in pairs])

    both = {"clip": np.mean([mean(across[c]) for c in (0, 1)]), "clip_real": np.mean([mean(within[c]) for c in (0, 1)])}
    assert clip_similarity(made, real, (0, 1, 2)) == pytest.approx(both), "class 2 has one real picture"
    assert clip_similarity(made, real, (2,)) == {}


def test_the_gap_of_synthetic_pictures_has_it_and_the_page_shows_it(folder, tmp_path):
    tables = tiny(
        learner="classifier",
        stream={"name": "digits", "tasks": [[0, 1], [2]], "held_back": 0.3},
        classifier={"head": "growing", "training": {"steps": 2, "batch": 8}},
        evaluation={"gap": 50, "evaluator": {"steps": 5}, "clip": str(folder)},
        synthetic={"source": "ideal", "per_class": 10},
    )
    run = palimpsest.train(tables, strategy="lucir", per_class=2, out=tmp_path / "run", display=QUIET)
    gap = run.results["tasks"][-1]["synthetic"]
    assert -1 <= gap["clip"] <= 1 and gap["clip"] == pytest.approx(gap["clip_real"], abs=0.1), "real pictures, too"
    assert all({"clip", "clip_real"} <= part.keys() for part in gap["per_class"])
    page = write_report([run.path], run.path / "report.html").read_text(encoding="utf-8")
    assert f"{gap['clip']:.3f} ({gap['clip_real']:.3f})" in page


def test_a_model_that_is_not_there_is_a_sentence_before_anything_is_written(tmp_path):
    tables = tiny(evaluation={"samples": 50, "evaluator": {"steps": 5}, "clip": str(tmp_path / "none")})
    with pytest.raises(RequestError, match="evaluation.clip = .* cannot be opened") as caught:
        palimpsest.train(tables, out=tmp_path / "run", display=QUIET)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_weights_that_lack_some_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "other")
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "other" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RequestError, match="it lacks 1 weights, such as visual_projection.weight"):
        load_clip(str(tmp_path / "other"))
