"""Every wrong request is one sentence and exit code 2, and nothing is written."""

import pytest

from tests.synthesis.conftest import content
from tests.tiny import called

LONG = "class_id,name,definition\n0,cat,a very long story about a pet\n"  # one token a letter, of which 20 are read
OPTIONS = "{model} --prompts {prompts} --out out"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, model):
    """Calls the program in a folder with a prompt file alone; answers with exit code, standard output and standard error."""
    place = tmp_path / "here"
    place.mkdir()
    (place / "prompts.csv").write_text("class_id,name\n0,cat\n1,dog\n")
    (place / "long.csv").write_text(LONG)
    monkeypatch.chdir(place)

    def call(request: str) -> tuple[int, str, str]:
        words = request.format(model=model, prompts="prompts.csv").split()
        return called(monkeypatch, capsys, "synthesize", *words)

    return call


BAD = [
    ("{model} --prompts {prompts}", "give --out FOLDER"),
    ("{model} --out out", "tiny draws from text, and no prompts were given; give --prompts FILE"),
    ("nowhere --prompts {prompts} --out out", 'there is no folder "nowhere", and it is no name on the hub'),
    (". --prompts {prompts} --out out", "holds no model (no readable model_index.json)"),
    ("{model} --prompts nowhere.csv --out out", 'unknown ready-made prompts "nowhere.csv"'),
    ("{model} --prompts long.csv --out out", 'the prompt of the class "cat" comes to'),
    (
        f"{OPTIONS} --negative averyverylongnegativeprompt",
        'the negative prompt of the class "cat" comes to 29 tokens, and tiny reads 20',
    ),
    (f"{OPTIONS} --count 0", "--count is 0, and it is a whole number from 1"),
    (f"{OPTIONS} --steps 0", "--steps is 0"),
    (f"{OPTIONS} --steps 1001", "--steps 1001 was asked for, and tiny has 1000 noise levels"),
    (f"{OPTIONS} --batch 0", "--batch is 0"),
    (f"{OPTIONS} --retries -1", "--retries is -1"),
    (f"{OPTIONS} --seed -1", "--seed is -1"),
    (f"{OPTIONS} --seed 99999999999999999999", "--seed is 99999999999999999999"),
    (f"{OPTIONS} --guidance -1", "--guidance is -1"),
    (f"{OPTIONS} --guidance nan", "--guidance is nan"),
    (f"{OPTIONS} --size 17", "--size 17 was asked for, and the model draws 16×16 pixels; legal: 1 to 16, or 0"),
    (f"{OPTIONS} --sampler ddimm", 'unknown sampler "ddimm". Did you mean "ddim"?'),
    (f"{OPTIONS} --sampler DDMIScheduler", 'unknown diffusers scheduler "DDMIScheduler". Did you mean'),
    (f"{OPTIONS} --precision fp64", 'unknown precision "fp64"'),
    (f"{OPTIONS} --device gpu", 'unknown device "gpu"'),
    (f"{OPTIONS} --classes cat,dgo", 'unknown class of prompts.csv "dgo". Did you mean "dog"?'),
    (f"{OPTIONS} --revision main", "--revision main was given, and"),
    (f"{OPTIONS} --template photo", '--template "photo" is the same for every class'),
    (f"{OPTIONS} --cuont 3", "no such option: --cuont"),
    ("{model} --prompts {prompts} --out long.csv", "long.csv is a file, and a set of pictures is a folder"),
    ("{model} --prompts {prompts} --out .", "holds files that are not a set of pictures (long.csv)"),
    ("{model} --prompts {prompts} --out . --force", "holds files that are not a set of pictures (long.csv)"),
    ("{model} --prompts {prompts} --out /proc/nowhere", "nothing can be written to /proc/nowhere"),
]


@pytest.mark.parametrize(("request_", "sentence"), BAD, ids=[request for request, _ in BAD])
def test_a_wrong_request_is_one_sentence_and_writes_nothing(request_, sentence, run, tmp_path):
    before = content(tmp_path)
    code, _, error = run(request_)
    assert code == 2, error
    assert sentence in error
    assert len(error.strip().splitlines()) == 1 and "Traceback" not in error
    assert content(tmp_path) == before


def test_of_a_set_that_is_there_the_rest_is_estimated(run, tmp_path):
    assert run(f"{OPTIONS} --count 4 --batch 4 --steps 1 --device cpu")[0] == 0
    before = content(tmp_path)
    how = f"{OPTIONS} --batch 4 --steps 1 --device cpu --estimate"
    code, out, error = run(f"{how} --count 10")
    assert code == 0 and "12 (16 are drawn, in whole batches)" in out, error
    assert "all are there" in run(f"{how} --count 4")[1]
    assert "made with other settings: count is 4 there" in run(f"{how} --count 3")[2]
    assert content(tmp_path) == before


def test_without_the_extra_it_says_what_to_install(run, monkeypatch):
    from palimpsest.synthesis import found_model

    monkeypatch.setattr(found_model, "find_spec", lambda name: None)
    code, _, error = run(OPTIONS)
    assert code == 2 and "pip install 'palimpsest[text-to-image]'" in error


def test_a_model_of_the_hub_that_cannot_be_had(run, monkeypatch):
    """And what is asked for where no model is named."""
    from diffusers import DiffusionPipeline

    def unreachable(name: str, **options: object) -> str:
        raise OSError(f"cannot reach the hub for {name} {options['revision']}\nat all")

    monkeypatch.setattr(DiffusionPipeline, "download", unreachable)
    code, _, error = run("--prompts {prompts} --revision abc --out out")
    assert code == 2 and len(error.strip().splitlines()) == 1
    assert "cannot reach the hub for CompVis/stable-diffusion-v1-4 abc" in error
    assert "`hf download CompVis/stable-diffusion-v1-4 --revision abc --local-dir FOLDER`" in error


def test_a_model_without_safetensors_is_refused(run, model, tmp_path):
    import shutil

    shutil.copytree(model, tmp_path / "pickled")
    weights = tmp_path / "pickled" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name("diffusion_pytorch_model.bin"))
    code, _, error = run(f"{tmp_path}/pickled --prompts prompts.csv --out out")
    assert code == 2 and "cannot be opened" in error and "safetensors" in error
    assert len(error.strip().splitlines()) == 1


def test_what_a_piped_call_prints(run):
    """The cost first, then lines, then where it is."""
    code, out, _ = run(f"{OPTIONS} --count 2 --steps 1 --batch 2 --device cpu --size 8")
    assert code == 0
    assert out.splitlines()[0] == (
        "4 pictures of 8×8, drawn at 16×16: 2 of each of 2 classes, in batches of 2, up to 0.0 MB on the disk"
    )
    assert "2 of 4 pictures: " in out and "pictures/s  left: " in out and "manifest out/manifest.json" in out
    assert run(f"{OPTIONS} --count 2 --steps 1 --batch 2 --device cpu --size 8")[1] == "out is finished\n"


def test_estimate_writes_nothing(run, tmp_path):
    before = content(tmp_path)
    code, out, error = run("{model} --prompts {prompts} --estimate --count 10 --batch 4 --steps 50 --device cpu")
    assert code == 0, error
    assert "20 (24 are drawn, in whole batches)" in out and "2,400 pictures" in out and " h (" in out
    assert content(tmp_path) == before
