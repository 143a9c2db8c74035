"""The command line as a user meets it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from palimpsest.runs.checkpoint import Checkpoints, read
from palimpsest.runs.config import resolve, to_toml
from palimpsest.strategies import catalog
from palimpsest.targets.noise import TrueNoise
from tests.tiny import tiny


def test_an_unknown_flag_names_the_near_ones(run):
    code, _, error = run("train", "--teacher-stepz", 3)
    assert code == 2 and "--teacher-steps" in error


def test_help_shows_the_options_of_the_strategy(run):
    for name in catalog.names():
        code, out, _ = run("train", "digits", "--strategy", name, "--help")
        assert code == 0
        for option in catalog.look_up(name).options:
            assert "--" + option.name.replace("_", "-") in out
    assert "--teacher-steps" in run("train", "--help")[1], "those of the experiment's own strategy"
    assert "--memory-size" not in run("train", "--help")[1]


def test_help_shows_what_the_experiment_says(run):
    """update.toml has ten teacher steps and digits two; what an experiment leaves open is the strategy's own."""
    flat = {command: " ".join(run(*command, "--help")[1].split()) for command in [("update",), ("train",)]}
    assert "dream (published: 2 for Fashion-MNIST, 10 for CIFAR-10) [default: 10]" in flat["update",]
    assert "dream (published: 2 for Fashion-MNIST, 10 for CIFAR-10) [default: 2]" in flat["train",]
    assert "fresh noise (published: 1) [default: 10]" in flat["update",]
    assert "how the previous model dreams [default: ddim]" in flat["update",]
    assert "generative_distillation, or conditional_generative_distillation where MODEL" in flat["update",]
    lists = run("update", "--strategy", "generative_replay", "--help")[1]
    assert "[default: 10]" in lists, "the table of a strategy that is asked for"


def test_list_names_everything(run):
    out = run("list")[1]
    for name in (*catalog.names(), "digits", "parquet", "folder", "hub", "ddim", "unipc", "fid", "kld", "[hub]"):
        assert name in out
    assert "kld" not in run("list", "strategies")[1]


def test_doctor_finds_what_is_needed(run):
    code, out, _ = run("doctor")
    assert code == 0 and "torch" in out and "threads" in out and "PALIMPSEST_DATA" in out


@pytest.mark.parametrize("asked", [(), ("--help",)])
def test_without_a_command_the_program_shows_those_that_there_are(run, monkeypatch, asked):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, error = run(*asked)
    lines = out.splitlines()
    assert (code, error) == (0, "") and max(map(len, lines)) <= 80 and "..." not in out.replace("[ARGS]...", "")
    for title in ("Train and go on:", "Teach a model of your own:", "Look at what came out:", "What there is:"):
        assert title in lines
    named = [line.split()[0] for line in lines if line.startswith("  ") and line[2:3].isalpha()]
    every = "train resume study update synthesize sample evaluate compare report estimate list doctor"
    assert set(named) >= set(every.split())


def test_version(run):
    assert run("--version")[1].startswith("palimpsest 0.")


def test_a_classifier_alone_is_not_said_to_have_samples(run, experiment):
    code, out, error = run("train", experiment, "--strategy", "joint", "--set", "learner=classifier")
    assert code == 0, error
    assert "accuracy" in out and "samples  " not in out and "report   " in out


def test_train_resume_sample_compare(run, experiment, tmp_path):
    code, out, error = run("train", experiment, "--seed", 3, "--teacher-steps", 3)
    assert code == 0, error
    place = tmp_path / "runs" / "tiny" / "generative_distillation-teacher_steps3-seed3"
    assert f"{place.relative_to(tmp_path)}" in out and "samples" in out
    results = json.loads((place / "results.json").read_text())
    assert results["finished"] and results["seed"] == 3 and results["options"]["teacher_steps"] == 3
    assert {path.name for path in place.iterdir() if not path.name.startswith(".")} == {
        "config.toml",
        "environment.json",
        "events.jsonl",
        "results.json",
        "models",
        "samples",
        "checkpoints",
        "report.html",
    }
    assert f"report   {place.relative_to(tmp_path)}/report.html" in out

    code, _, error = run("train", experiment, "--seed", 3, "--teacher-steps", 3)
    assert code == 2 and "holds a run already" in error and "palimpsest resume" in error
    code, _, error = run("train", experiment, "--seed", 3, "--teacher-steps", 2, "--out", place)
    said = f"{place} holds another run, of which strategy.generative_distillation.teacher_steps is not as was asked for"
    assert code == 2 and said in error and "go on with it" not in error
    assert run("train", experiment, "--seed", 3, "--teacher-steps", 3, "--force")[0] == 0

    code, out, _ = run("resume", place)
    assert code == 0 and "is finished" in out

    assert run("sample", place, "--count", 5, "--steps", 2, "--out", "sheet.png")[0] == 0
    assert Image.open("sheet.png").size[0] > 3 * 32
    assert run("sample", place, "--count", 5, "--steps", 2, "--out", "many.npz")[0] == 0
    images = np.load("many.npz")["images"]
    assert images.shape == (5, 8, 8, 1) and images.dtype == np.uint8
    assert run("sample", place, "--count", 5, "--steps", 2, "--task", 1, "--out", "folder/")[0] == 0
    pictures = sorted(Path("folder").iterdir())
    assert len(pictures) == 5 and Image.open(pictures[0]).size == (8, 8)
    for taken in ("sheet.png", "folder/"):
        code, _, error = run("sample", place, "--steps", 2, "--out", taken)
        assert code == 2 and "is there already" in error
    code, _, error = run("sample", place, "--task", 9, "--out", "x.png")
    assert code == 2 and "has no model of task 9; there are: 1, 2" in error
    code, _, error = run("sample", place, "--out", "x.jpeg")
    assert code == 2 and "legal: FILE.png, FILE.npz, FOLDER/" in error

    code, out, _ = run("compare", place, "--csv", "table.csv")
    assert code == 0 and "generative_distillation" in out
    assert "generative_distillation" in Path("table.csv").read_text()
    code, out, _ = run("compare", place, "--latex")
    assert code == 0 and r"\begin{tabular}" in out and r"generative\_distillation" in out
    code, _, error = run("compare", place, "--published")
    assert code == 2 and "tiny" in error
    Path("beside.log").touch()  # as a study leaves one
    Path("page.html").touch()
    code, out, _ = run("compare", "beside.log", place, "page.html", "--each")
    Path("page.html").unlink()
    assert code == 0 and "seed=3" in out
    code, _, error = run("compare", place, "--each", "--published")
    assert code == 2 and "--published and --each are two tables" in error

    code, out, error = run("evaluate", place, "--steps", 3, "--out", "again")
    assert code == 0 and "results  again" in out, error
    code, out, error = run("report", place, "again", "--out", "page.html")
    assert code == 0 and Path("page.html").stat().st_size > 10_000, error
    code, out, _ = run("report", place)
    assert code == 0 and f"report   {place}/report.html" in out


def test_training_from_the_written_config_gives_the_same_run(run, experiment, tmp_path):
    from tests.tiny import weights

    run("train", experiment, "--out", "one")
    run("train", "one/config.toml", "--out", "two")
    assert weights(tmp_path / "one" / "models" / "task_2") == weights(tmp_path / "two" / "models" / "task_2")
    assert Path("one/config.toml").read_text() == Path("two/config.toml").read_text()


def test_force_does_not_touch_what_is_not_a_run(run, experiment, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    code, _, error = run("train", experiment, "--out", "mine", "--force")
    assert code == 2 and "holds files that are not a run's" in error
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    run("train", experiment, "--out", "run")
    (tmp_path / "run" / "notes.txt").write_text("about this run")
    assert run("train", experiment, "--out", "run", "--force")[0] == 0
    assert (tmp_path / "run" / "notes.txt").read_text() == "about this run"


def newest(run: Path) -> dict[str, torch.Tensor]:
    """The tensors of a run's newest checkpoint."""
    return read(Checkpoints(run / "checkpoints").latest(print))[1]


def test_a_loss_that_is_not_finite_stops_the_run_with_its_step_and_term(run, experiment, tmp_path, monkeypatch):
    """The losses are read every 4 steps; the first bad one is named all the same, and no bad checkpoint is kept."""
    settings = ["training.steps=12", "engine.log_every=4", "engine.checkpoint_steps=2"]
    original = TrueNoise.distance

    def bad_from_the_seventh_step(said, wanted, question, calls=[]):
        calls.append(1)
        loss = original(said, wanted, question)
        return loss * float("nan") if len(calls) >= 7 else loss

    monkeypatch.setattr(TrueNoise, "distance", staticmethod(bad_from_the_seventh_step))
    code, _, error = run("train", experiment, *(f"--set={setting}" for setting in settings), "--out", "run")
    assert code == 1 and "Traceback" not in error
    assert 'task 1, step 7: the loss of "data × true_noise" is not a finite number' in error
    assert all(tensor.isfinite().all() for tensor in newest(tmp_path / "run").values() if tensor.is_floating_point())


def test_weights_that_overflow_in_the_last_step_are_not_kept_either(run, experiment, tmp_path):
    """No loss ever saw them."""
    settings = ["training.steps=1", "training.learning_rate=1e39", "stream.tasks=[[0,1]]"]
    code, _, error = run("train", experiment, *(f"--set={setting}" for setting in settings), "--out", "run")
    assert code == 1 and "the denoiser has weights that are not finite numbers" in error
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_beginning_that_was_cut_off_is_no_obstacle(run, experiment, tmp_path, monkeypatch):
    """Killed while an old run was being replaced: neither resume nor train may be stuck."""
    from palimpsest.runs.folder import RunFolder

    run("train", experiment, "--out", "run")

    def cut_off(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("palimpsest.runs.folder.write_atomically", cut_off)
        with pytest.raises(KeyboardInterrupt):
            RunFolder(tmp_path / "run").begin("", {})
    code, _, error = run("resume", "run")
    assert code == 2 and "the beginning of the run in run was cut off" in error
    assert run("train", experiment, "--out", "run")[0] == 0
    assert run("resume", "run")[0] == 0


def test_an_experiment_is_found_also_where_a_folder_has_its_name(run, tmp_path):
    (tmp_path / "digits").mkdir()
    assert "--teacher-steps" in run("train", "digits", "--help")[1]
    code, _, error = run("train", "digits", "--set", "training.batch=0")
    assert code == 2 and "training.batch" in error


def test_the_strategy_of_an_experiment_gives_its_flags_wherever_it_stands(run, tmp_path):
    (tmp_path / "mine.toml").write_text(to_toml(resolve(tiny(), "experience_replay")))
    assert "--memory-size" in run("train", "--seed", "1", "mine.toml", "--help")[1]
