"""The report page: complete, self-contained, small, quick, and at home in a browser."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.reports.page import write_report
from palimpsest.reports.results import load_results
from palimpsest.reports.section_kept import kept_in_words
from tests.reports.fake_runs import a_run, a_study

SECTIONS = {
    "results", "curves", "samples", "matrices", "denoising", "replay", "memorisation", "losses", "cost",
    "warnings", "remembered", "measures", "settings", "environment",
}  # fmt: skip


class Page(HTMLParser):
    """What of a page can be counted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, name: str) -> list[dict]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three methods × two seeds × five tasks."""
    return a_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def text(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("page") / "page.html").read_text(encoding="utf-8")


def test_every_section_is_there_and_in_the_contents(text):
    page = Page(text)
    sections = [attributes["id"] for attributes in page.all("section")]
    assert set(sections) == SECTIONS and len(sections) == len(set(sections))
    links = {attributes["href"].removeprefix("#") for attributes in page.all("a")}
    assert links == SECTIONS | {"content"}, "a link to each section, and past the contents"


def test_nothing_is_fetched_and_nothing_runs(text):
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert not (attributes.get(name) or "").startswith(("http:", "https:", "//", "/")), (tag, attributes)
    assert "@import" not in text and not re.search(r"url\((?!['\"]?(data:|#))", text)
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert len(text.encode()) < 5_000_000


def test_every_picture_says_in_words_what_it_shows(text):
    page = Page(text)
    pictures = [attributes.get("alt") for attributes in page.all("img")]
    charts = [attributes.get("aria-label") for attributes in page.all("svg") if attributes.get("role") == "img"]
    assert len(pictures) > 15 and len(charts) >= 3
    assert all(words and len(words) > 20 for words in pictures + charts)
    assert any("generative_distillation" in words and re.search(r"\d", words) for words in charts)
    silent = [a for a in page.all("svg") if a.get("role") != "img" and a.get("aria-hidden") != "true"]
    assert not silent


def test_wide_parts_are_reached_by_the_keyboard_and_named(text):
    page = Page(text)
    regions = [attributes for attributes in page.all("div") if attributes.get("class") == "scroll"]
    assert regions and all(a["tabindex"] == "0" and a["aria-label"] for a in regions)
    assert ("html", {"lang": "en"}) in page.tags and page.all("main") and page.all("nav")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))


def test_both_samplers_and_the_numbers_of_the_runs_are_shown(study, text):
    found = [json.loads((run / "results.json").read_text()) for run in study]
    distilled = [r["final"]["fid"] for r in found if r["strategy"] == "generative_distillation"]
    said = " ".join(Page(text).words)
    assert "ddim-10" in said and "ddim-50" in said
    assert f"{sum(distilled) / 2:.1f}" in said
    assert "Frechet" in said or "Fréchet" in said


def test_what_runs_say_is_never_markup(tmp_path):
    hostile = '<script>alert("x")</script>'
    run = a_run(tmp_path, "lwf", class_names=[hostile] * 10, experiment=hostile)
    (run / "config.toml").write_text(f"name = '{hostile}'\n")
    text = write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert hostile not in text and "&lt;script&gt;" in text


def test_an_unfinished_and_a_damaged_run_are_reported_as_far_as_they_go(tmp_path):
    runs = [a_run(tmp_path, seed=0), a_run(tmp_path, "lwf", done=2), a_run(tmp_path, "joint"), tmp_path / "nothing"]
    (runs[2] / "results.json").write_text('{"experiment": "digits", "tas')
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "config.toml").write_text('name = "digits"\n')
    text = write_report(runs, tmp_path / "page.html").read_text(encoding="utf-8")
    said = " ".join(Page(text).words)
    assert "unfinished, task 2 of 5" in said
    assert "is damaged" in said and "joint-seed0" in said
    assert "has no results yet" in said or "no finished task" in said or "first task" in said


def test_of_a_damaged_run_alone_pictures_and_losses_are_left(tmp_path):
    run = a_run(tmp_path)
    (run / "results.json").write_text("{")
    (run / "samples" / "task_2.png").write_bytes(b"no picture")
    with (run / "events.jsonl").open("a") as log:
        log.write('{"event": "step", "step": "ten", "losses": 3}\n[1]\n{"event": "wa')
    sections = {a["id"] for a in Page(write_report([run], tmp_path / "page.html").read_text()).all("section")}
    assert sections >= {"missing", "samples", "losses", "settings"} and "results" not in sections


def test_a_measure_that_is_no_finite_number_is_shown_and_draws_no_line(tmp_path):
    run = a_run(tmp_path)
    results = json.loads((run / "results.json").read_text())
    results["tasks"][1]["measures"]["fid"] = results["final"]["fid"] = float("nan")
    (run / "results.json").write_text(json.dumps(results))
    text = write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "nan" in Page(text).words and not re.search(r'(d|x|y)="[^"]*nan', text)


def test_an_older_run_that_holds_less_is_reported_without_what_it_lacks(tmp_path):
    run = a_run(tmp_path)
    results = json.loads((run / "results.json").read_text())
    for name in ("accuracy_matrix", "evaluator", "samplers", "counts", "class_names", "classifier_remembers"):
        del results[name]
    for task in results["tasks"]:
        for name in ("per_task", "per_class", "replay", "denoising_error"):
            task.pop(name, None)
        task["measures"] = {"fid": task["measures"]["fid"]}
    results["final"] = results["tasks"][-1]["measures"]
    (run / "results.json").write_text(json.dumps(results))
    shutil.rmtree(run / "samples")
    (run / "events.jsonl").unlink()
    sections = {a["id"] for a in Page(write_report([run], tmp_path / "page.html").read_text()).all("section")}
    assert {"results", "curves", "cost"} <= sections and not sections & {"matrices", "replay", "samples", "losses"}


def test_files_that_are_there_are_not_overwritten_and_no_run_is_refused(study, tmp_path):
    out = tmp_path / "mine.html"
    out.write_text("mine")
    with pytest.raises(RequestError, match="exists already"):
        write_report(study, out)
    assert out.read_text() == "mine"
    assert write_report(study, out, force=True).stat().st_size > 10_000
    own = study[0] / "report.html"
    write_report([study[0]], own)
    write_report([study[0]], own)  # a run's own page is written anew
    with pytest.raises(RequestError, match="is not a run directory|there is no"):
        write_report([tmp_path / "nowhere"], tmp_path / "page.html")


def test_a_run_of_five_tasks_is_reported_without_torch(study, tmp_path):
    code = (
        "import sys; from pathlib import Path; from palimpsest.reports.page import write_report; "
        "write_report([Path(sys.argv[1])], Path(sys.argv[2])); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(study[0]), str(tmp_path / "page.html")]).returncode == 0


def browser() -> str:
    found = next((name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None)
    return found or pytest.skip("no Chromium is installed: the page is not looked at in a browser")


PROBE = """<script>
addEventListener("load", () => {
  const figures = [...document.querySelectorAll("figure")], shown = document.documentElement;
  const empty = figures.filter(f => !f.closest("details") && !(f.clientWidth > 20 && f.clientHeight > 20)).length;
  const broken = [...document.images].filter(i => i.naturalWidth === 0).length;
  document.title = JSON.stringify({figures: figures.length, empty, broken, wider: shown.scrollWidth - innerWidth});
});
</script></body>"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_every_figure_and_reports_no_error(study, text, width, tmp_path):
    """On a phone and on a desk; the script that looks is the test's own."""
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", PROBE), encoding="utf-8")
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    done = subprocess.run(
        [
            *command,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},2000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    seen = json.loads(re.search(r"<title>(\{.*?\})</title>", done.stdout)[1].replace("&quot;", '"'))
    assert seen["figures"] >= 8 and seen["empty"] == 0 and seen["broken"] == 0
    assert seen["wider"] <= 0, "the page itself does not scroll sideways"


def test_dreams_that_were_thrown_away_are_counted(tmp_path):
    run = a_run(tmp_path)
    results = json.loads((run / "results.json").read_text())
    results["tasks"][1]["replay"][0] |= {
        "drawn": 400, "labelled": {"3": 300, "7": 0}, "accepted": {"3": 100, "7": 0}, "wasted": 0.75, "filled_up": [3], "empty": [7],
    }  # fmt: skip
    (run / "results.json").write_text(json.dumps(results))
    words = Page(write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")).words
    place = words.index("400")
    assert words[place + 1 : place + 3] == ["100", "75%"]
    assert "thrown away" in words and "without any" in words
    assert "Classes dreamt" in words and "1.5" in words[words.index("Classes dreamt") :], "300 of 400, where half of them were due"


def test_each_learners_replay_has_a_curve_of_its_own(tmp_path):
    """Two kinds of dreams for two learners: none stands for the other."""
    run = a_run(tmp_path)
    results = json.loads((run / "results.json").read_text())
    for task in results["tasks"][1:]:
        (first,) = task["replay"]
        task["replay"] = [first | {"learner": "conditional_denoiser", "purity": 0.9}, first | {"learner": "classifier", "purity": 0.2}]
    (run / "results.json").write_text(json.dumps(results))
    page = Page(write_report([run], tmp_path / "page.html").read_text(encoding="utf-8"))
    drawn = [a["aria-label"] for a in page.all("svg") if "Purity of" in a.get("aria-label", "")]
    assert len(drawn) == 2
    assert "conditional denoiser" in drawn[0] and "0.9" in drawn[0] and "0.2" in drawn[1] and "0.9" not in drawn[1]


def test_measures_stand_against_passes_for_finished_methods(text, tmp_path):
    drawn = [a["aria-label"] for a in Page(text).all("svg") if "against passes" in a.get("aria-label", "")]
    assert any(words.startswith("FID by") and "336k" in words for words in drawn), drawn
    lonely = write_report([a_run(tmp_path / "one")], tmp_path / "one.html").read_text(encoding="utf-8")
    assert "against passes" not in lonely, "points at one place of the axis say no more than the table"


def test_a_page_about_an_update_says_what_was_kept(tmp_path):
    """Between its bounds, with the sheet of before, and the given model's row of noise levels."""
    run = a_run(tmp_path, done=1, task_count=1, finished=True)
    results = json.loads((run / "results.json").read_text())
    (task,) = results["tasks"]
    task["measures"] |= {"coverage_old": 0.78, "density_old": 0.59}
    bounds = {"expected": {"coverage_old": 0.87, "density_old": 0.5}, "new_pictures": {"coverage_old": 0.23}}
    task["kept"] = {"samples": 250, **bounds}
    task["denoising_error"] = {"levels": [0, 999], "tasks": [0], "errors": [[0.4, 0.01]]}
    (run / "results.json").write_text(json.dumps(results))
    shutil.copy(run / "samples" / "task_1.png", run / "samples" / "task_1_before.png")
    page = Page(write_report([run], tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "kept" in [attributes["id"] for attributes in page.all("section")]
    assert {"0.7800", "0.8700", "0.2300", "before", "given model"} <= set(page.words)
    assert "most forgotten: given model at level 0, 0.4" in page.words
    assert any(image["alt"].endswith("before task 1") for image in page.all("img"))
    said = kept_in_words(load_results(run).tasks[0])
    assert said.endswith("(87% if nothing were lost, 23% if everything were)") and "near 78%" in said
    older = load_results(a_run(tmp_path, "finetune"))
    assert kept_in_words(older.tasks[-1]) == ""


def test_a_method_that_lacks_the_first_measure_is_in_the_legend_all_the_same(tmp_path):
    run = a_run(tmp_path, "icarl")
    results = json.loads((run / "results.json").read_text())
    for task in results["tasks"]:
        task["measures"] = {"accuracy": 0.75}
    results |= {"extractor": {}, "evaluator": {}, "final": {"accuracy": 0.75}}
    (run / "results.json").write_text(json.dumps(results))
    text = write_report([a_run(tmp_path, "finetune"), run], tmp_path / "page.html").read_text(encoding="utf-8")
    legends = re.findall(r'<ul class="legend">(.*?)</ul>', text, re.DOTALL)
    assert "finetune" in legends[0] and "icarl" in legends[0]


def test_a_page_of_classifiers_shows_average_and_last_accuracy_first(tmp_path):
    """Side by side in the cards and in the table, as a terminal has them."""
    run = a_run(tmp_path, "finetune")
    results = json.loads((run / "results.json").read_text())
    measures = {
        "accuracy": 0.91,
        "accuracy_softmax": 0.9,
        "average_incremental_accuracy": 0.945,
        "base_forgetting": 0.1,
    }
    for task in results["tasks"]:
        task["measures"] = {"accuracy": 0.93}
    results["tasks"][-1]["measures"] = results["final"] = measures
    (run / "results.json").write_text(json.dumps(results))
    text = write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    cards = text[text.index('class="cards"') : text.index('id="results"')]
    places = [cards.index(number) for number in ("0.9100", "0.9450", "0.1000")]
    assert places == sorted(places) and "0.9000" not in cards
    section = text[text.index('id="results"') :]
    first = section[: section.index("All other measures")]
    assert "0.9450" in first and "Accuracy softmax" not in first
