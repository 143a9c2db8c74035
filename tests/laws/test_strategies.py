"""What holds for every strategy."""

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.runs.events import read_events
from palimpsest.runs.pipelines import open_pipeline
from palimpsest.strategies import catalog
from tests.tiny import QUIET, denoiser_strategies, tiny, weights


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory):
    """A fine-tuned run, to compare with."""
    out = tmp_path_factory.mktemp("runs") / "finetune"
    return palimpsest.train(tiny(), strategy="finetune", out=out, display=QUIET)


@pytest.mark.parametrize("name", denoiser_strategies())
def test_the_first_task_is_finetuning_bit_for_bit(name, finetuned, tmp_path):
    run = palimpsest.train(tiny(), strategy=name, out=tmp_path / "run", display=QUIET)
    assert weights(run.path / "models" / "task_1") == weights(finetuned.path / "models" / "task_1")
    same_in_the_end = weights(run.path / "models" / "task_2") == weights(finetuned.path / "models" / "task_2")
    assert same_in_the_end == (name == "finetune")


@pytest.mark.parametrize("name", denoiser_strategies())
def test_passes_are_those_of_the_arithmetic(name, tmp_path):
    """4 steps of 8 pictures in each of 2 tasks; student 3 a picture; dreams N more, a teacher's opinion 1."""
    run = palimpsest.train(tiny(), strategy=name, out=tmp_path / "run", display=QUIET)
    replayed = {"finetune": 0, "joint": 0, "lwf": 0}.get(name, 1)
    steps = catalog.check_options(catalog.look_up(name), {}).get("teacher_steps", 0)
    opinions = 0 if name in ("finetune", "joint", "experience_replay", "generative_replay") else 1
    pictures = 4 * 8
    assert run.results["cost"]["student_passes"] == 3 * pictures * (2 + replayed)
    assert run.results["cost"]["teacher_passes"] == pictures * (steps + opinions)


@pytest.mark.parametrize("name", catalog.names())
def test_what_a_file_says_of_a_strategy_is_what_python_says(name):
    read, imported = catalog.look_up(name), catalog.find(catalog.load(name))
    assert {o.name: (o.kind, o.default) for o in read.options} == {
        o.name: (o.kind, o.default) for o in imported.options
    }
    assert (read.keeps, read.learners) == (imported.keeps, imported.learners)
    assert read.doc == imported.doc
    assert all(option.help for option in read.options), "every option is explained in the docstring"
    assert "L_k =" in read.doc, "the docstring shows the equation"


def test_training_data_is_closed_when_its_task_ends(tmp_path):
    hoard = []

    @palimpsest.strategy(keeps=())
    def hoarder(now, past):
        hoard.append(now.data)
        return palimpsest.Phase("denoiser", [palimpsest.Term(hoard[0], now.truth)])

    with pytest.raises(palimpsest.RunError, match="training data was read after the task ended"):
        palimpsest.train(tiny(), strategy=hoarder, out=tmp_path / "run", display=QUIET)


def test_what_was_not_declared_is_not_kept(tmp_path):
    @palimpsest.strategy(keeps={"teacher"})
    def greedy(now, past):
        return palimpsest.Phase("denoiser", [palimpsest.Term(past.memory, now.truth)])

    with pytest.raises(RequestError, match='asks the past for "memory", and declared that it keeps teacher'):
        palimpsest.train(tiny(), strategy=greedy, out=tmp_path / "run", display=QUIET)
    assert not (tmp_path / "run").exists()


def test_strategies_with_one_seed_see_the_same_data_and_noise(tmp_path):
    """Comparisons are paired: the loss of the data term in the first task's events is the same for all."""
    firsts = set()
    for name in ("finetune", "generative_replay", "experience_replay"):
        run = palimpsest.train(tiny(), strategy=name, out=tmp_path / name, display=QUIET)
        steps = [event for event in read_events(run.path / "events.jsonl") if event["event"] == "step"]
        second = next(event for event in steps if event["task"] == 2)
        assert set(second["losses"]) >= {"data × true_noise"}
        firsts.add(steps[0]["losses"]["data × true_noise"])
    assert len(firsts) == 1


def test_several_phases_are_trained_in_order_and_answer_with_what_they_leave(tmp_path):
    left = []

    @palimpsest.strategy(keeps={"teacher"})
    def two_phases(now, past):
        specialist = yield palimpsest.Phase("denoiser", [palimpsest.Term(now.data, now.truth)], name="local")
        left.append((now.k, specialist.learner))
        yield palimpsest.Phase(
            "denoiser",
            [palimpsest.Term(now.data, specialist.noise)],
            start=past.denoiser if past.denoiser.learner is not None else None,
            freeze=("network.conv_in.*",),
            name="global",
        )

    run = palimpsest.train(tiny(), strategy=two_phases, out=tmp_path / "run", display=QUIET)
    assert [k for k, _ in left] == [1, 2]
    first, second = (open_pipeline(run.path / "models" / f"task_{k}")[0].state_dict() for k in (1, 2))
    specialist = left[1][1].state_dict()
    frozen, learnt = "network.conv_in.weight", "network.conv_out.weight"
    assert torch.equal(second[frozen], first[frozen]), "it starts from the past, and what is frozen does not change"
    assert not torch.equal(specialist[frozen], first[frozen])
    assert not torch.equal(second[learnt], first[learnt])
