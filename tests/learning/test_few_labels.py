"""JDCL where few pictures have a label."""

import json

import pytest

import palimpsest
from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.learning.continual import open_task
from palimpsest.learning.now import Now
from palimpsest.learning.past import Past
from palimpsest.runs.assembly import assemble
from palimpsest.runs.config import resolve
from palimpsest.sources import Unlabelled
from palimpsest.strategies.catalog import load
from tests.learning.phases import of_class, phases_of, weights_of
from tests.learning.test_jdcl import a_joint_model
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


@pytest.mark.parametrize(("ratio", "few", "many"), [(7.0, 32, 224), (3.0, 64, 192)], ids=["published", "another"])
@pytest.mark.parametrize("k", [1, 3])
def test_weights_and_rows_by_hand(k, ratio, few, many):
    """1, α, α in every task, and 1/(1 + ratio) of a batch of 256 with a label: 32 and 224 as published (reference, 1.8)."""
    everything = Unlabelled(of_class(3, 300, name="unlabelled"))
    learners = {"joint": a_joint_model()}
    now = Now(k, (3,), of_class(3, 20), "joint", learners, lambda name: a_joint_model(9), everything)
    past = Past(frozenset({"teacher", "average"}), "joint", ("joint",))
    (local,) = phases_of(load("jdcl")(now, past, alpha=0.02, ratio=ratio))
    expected = {"unlabelled × true_noise": 1, "data × label": 0.02, "unlabelled × confident": 0.02}
    assert weights_of(local) == expected
    batch = Batch(256, 0, (0, k, "local 0", 0))
    rows = {term.name: term.source.draw(batch) for term in local.present}
    assert {name: drawn.total for name, drawn in rows.items()} == dict(zip(expected, (many, few, many), strict=True))
    assert all(len(drawn) == drawn.total for drawn in rows.values())
    assert {name for name, drawn in rows.items() if drawn.y is not None} == {"data × label"}


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
        ({"threshold": 1.5}, "threshold is 1.5, and it is how sure"),
    ],
)
def test_what_few_labels_cannot_do_is_refused(options, sentence, tmp_path):
    with pytest.raises(RequestError, match=sentence):
        train(tmp_path / "run", **FEW | options)
    assert not (tmp_path / "run").exists()
