"""JDCL where few pictures have a label."""

import json

import pytest

import palimpsest
from palimpsest.core.errors import RequestError
from tests.learning.test_jdcl_runs import learnt, train
from tests.tiny import QUIET, interrupted_after, same

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
