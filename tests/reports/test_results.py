"""Reading results.json: what is there, and one sentence where it is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.reports.results import load_results

RESULTS = {
    "experiment": "digits",
    "stream": "digits",
    "strategy": "generative_replay",
    "options": {"teacher_steps": 2},
    "seed": 3,
    "finished": False,
    "allowed_to_remember": "a teacher",
    "tasks": [
        {"number": 1, "classes": [4, 1], "measures": {"fid": 10.0}, "seconds": 2.5},
        {"number": 2, "classes": [7, 5], "measures": {"fid": 20.0}, "seconds": 3.5},
    ],
    "accuracy_matrix": [],
    "final": {},
    "cost": {"student_passes": 600, "teacher_passes": 400, "seconds": 6.0, "peak_memory_bytes": 1},
    "extractor": {"name": "small_cnn-32", "sha256": "ab" * 32},
}
CONFIG = """
name = "digits"
seed = 3
[stream]
name = "digits"
tasks = 5
path = "/data"
[training]
steps = 500
[engine]
device = "cpu"
precision = "bf16"
[strategy]
name = "generative_replay"
"""


def a_run(folder: Path, **changes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({**RESULTS, **changes}))
    (folder / "config.toml").write_text(CONFIG)
    return folder


def test_a_record_says_what_the_file_says(tmp_path):
    results = load_results(a_run(tmp_path))
    assert (results.strategy, results.seed, results.options) == ("generative_replay", 3, {"teacher_steps": 2})
    assert [(task.number, task.classes, task.seconds) for task in results.tasks] == [
        (1, ("4", "1"), 2.5),
        (2, ("7", "5"), 3.5),
    ]
    assert results.cost["student_passes"] == 600 and results.extractor["name"] == "small_cnn-32"


def test_an_unfinished_run_is_at_its_last_task_of_all(tmp_path):
    results = load_results(a_run(tmp_path))
    assert results.progress == "task 2 of 5" and results.measures == {"fid": 20.0}
    assert load_results(a_run(tmp_path, task_count=7)).progress == "task 2 of 7"
    (tmp_path / "config.toml").unlink()
    assert load_results(a_run(tmp_path / "b")).progress == "task 2 of 5"
    (tmp_path / "b" / "config.toml").write_text(CONFIG.replace("tasks = 5", "tasks = [[0, 1], [2, 3], [4]]"))
    assert load_results(tmp_path / "b").progress == "task 2 of 3"
    (tmp_path / "b" / "config.toml").unlink()
    assert load_results(tmp_path / "b").progress == "task 2"


def test_a_finished_run_has_its_final_measures(tmp_path):
    results = load_results(a_run(tmp_path, finished=True, final={"fid": 5.0, "fid_long": 4.0}))
    assert results.progress == "2" and results.measures == {"fid": 5.0, "fid_long": 4.0}


def test_settings_are_what_decides_a_run_and_not_its_place(tmp_path):
    assert load_results(a_run(tmp_path)).settings == {
        "stream.name": "digits",
        "stream.tasks": 5,
        "training.steps": 500,
        "engine.precision": "bf16",
    }


def test_options_of_other_strategies_that_took_part_are_settings(tmp_path):
    beside = {"generative_replay_classifier": {"reuse": 5}}
    settings = load_results(a_run(tmp_path, options_beside=beside)).settings
    assert settings["strategy.generative_replay_classifier.reuse"] == 5


def test_what_is_remembered_is_read_from_words_or_a_list(tmp_path):
    assert (
        load_results(a_run(tmp_path, allowed_to_remember=["teacher", "memory"])).allowed_to_remember
        == "teacher, memory"
    )
    assert load_results(a_run(tmp_path, allowed_to_remember=[])).allowed_to_remember == "nothing"


def test_the_folder_of_an_updated_model_holds_its_run(tmp_path):
    a_run(tmp_path / "model" / "run")
    assert load_results(tmp_path / "model").path == tmp_path / "model"


def test_the_accuracy_of_the_extractor_is_said_where_it_is_known(tmp_path):
    assert load_results(a_run(tmp_path)).extractor_in_words == "small_cnn-32"
    known = {**RESULTS["extractor"], "accuracy": 0.9889}
    assert load_results(a_run(tmp_path, extractor=known)).extractor_in_words == "small_cnn-32 (accuracy 98.9%)"


def refusal(path: Path) -> str:
    with pytest.raises(RequestError) as caught:
        load_results(path)
    sentence = str(caught.value)
    assert "\n" not in sentence and str(path) in sentence and sentence.endswith(".")
    return sentence


def test_what_is_no_run_directory_is_refused(tmp_path):
    assert "there is no" in refusal(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "not a run directory" in refusal(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    assert "not a run directory" in refusal(tmp_path / "file")


def test_a_run_without_results_says_how_to_go_on(tmp_path):
    (a_run(tmp_path / "young") / "results.json").unlink()
    assert "no results yet" in refusal(tmp_path / "young")
    assert f"palimpsest resume {tmp_path / 'early'}" in refusal(a_run(tmp_path / "early", tasks=[]))


@pytest.mark.parametrize("content", ["{", "", "[]", "{}", '{"tasks": 3}', '"word"', "\xff\xfe"])
def test_damaged_results_are_refused_with_the_file_named(tmp_path, content):
    (a_run(tmp_path) / "results.json").write_bytes(content.encode("latin-1"))
    assert "results.json" in refusal(tmp_path)


@pytest.mark.parametrize("field", ["strategy", "seed", "tasks", "stream", "finished"])
def test_results_that_lack_a_field_name_it(tmp_path, field):
    (a_run(tmp_path) / "results.json").write_text(json.dumps({k: v for k, v in RESULTS.items() if k != field}))
    assert field in refusal(tmp_path)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"seed": "zero"}, "seed"),
        ({"cost": {"seconds": None}}, "cost.seconds"),
        ({"accuracy_matrix": [[0.9], "x"]}, "accuracy_matrix.1"),
        ({"samplers": {"own": 3}}, "samplers.own"),
        ({"tasks": [{**RESULTS["tasks"][0], "number": 0}]}, "tasks.0.number"),
        ({"tasks": [{**RESULTS["tasks"][0], "replay": [{"shares": [1]}]}]}, "tasks.0.replay.0.shares"),
        ({"tasks": [{**RESULTS["tasks"][0], "measures": {"fid": "low"}}]}, "tasks.0.measures.fid"),
    ],
)
def test_results_of_another_shape_name_the_place(tmp_path, changes, place):
    assert f"({place}: " in refusal(a_run(tmp_path, **changes))


def test_what_a_later_version_adds_is_let_pass(tmp_path):
    assert load_results(a_run(tmp_path, new_thing=[1], samplers={"own": "ddim-10"})).samplers == {"own": "ddim-10"}


def test_reports_need_no_torch():
    check = "import sys, palimpsest.reports.table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
