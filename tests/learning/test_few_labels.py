"""JDCL where few pictures have a label."""

import json

import pytest

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.learning.continual import open_task
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from tests.learning.test_jdcl_runs import HEAD, learnt, train
from tests.tiny import QUIET, interrupted_after, same, tiny

FEW = {
    "sections": {
        "stream": {"name": "digits", "tasks": [[0, 1], [2, 3]], "labels": 4},
        "augmentation": {"strong": ["cutout 4"]},
    },
    "threshold": 0.3,
    "ratio": 3.0,
}


def test_with_few_labels_the_local_phase_learns_from_all_pictures(tmp_path):
    run = train(tmp_path / "run", **FEW)
    told = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    losses = [each["losses"].keys() for each in told if each["event"] == "step"]
    local = {"unlabelled × true_noise", "data × label", "unlabelled × confident"}
    assert losses[0] == local and not any(name & local for name in losses[-2:])
    with interrupted_after(8):
        train(tmp_path / "again", **FEW)
    again = palimpsest.resume(tmp_path / "again", display=QUIET)
    assert same(learnt(run), learnt(again))
    assert run.results["cost"]["student_passes"] == again.results["cost"]["student_passes"]


def test_dreams_are_seen_as_pictures_are_whose_classes_are_all_known():
    """The weaker view is that of the few labels alone (reference, 1.8)."""
    words = {"noise": ["flip"], "logits": ["padded_crop 1"], "strong": ["padded_crop 1", "cutout 4"]}
    sections = FEW["sections"] | {"augmentation": words}
    found = {}
    for labels in (0, 4):
        stream = sections["stream"] | {"labels": labels}
        tables = tiny(**HEAD | sections | {"stream": stream}, training={"steps": 6, "average": 0.9})
        assembly = assemble(resolve(tables, "jdcl", {"teacher_steps": 2}))
        found[labels] = dict(open_task(assembly.plan, assembly.progress, assembly.stream.tasks[0]).views)
    assert {head: view.words for head, view in found[4].items()} == {
        "noise": ("flip",),
        "logits": ("padded_crop 1", "cutout 4"),
    }
    assert found[0]["logits"].words == ("padded_crop 1",)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"two_stage": False}, "two_stage = false looks at labelled pictures alone"),
        ({"ratio": 0.0}, "ratio is 0"),
        ({"threshold": -1.0}, "the threshold of confidence is -1"),
    ],
)
def test_what_few_labels_cannot_do_is_refused(options, sentence, tmp_path):
    with pytest.raises(RequestError, match=sentence):
        train(tmp_path / "run", **FEW | options)
    assert not (tmp_path / "run").exists()
