"""What holds for every strategy."""

import gc

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.events import read_events
from palimpsest.strategies import catalog
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from tests.tiny import QUIET, denoiser_strategies, interrupted_after, tiny, weights


@pytest.mark.parametrize("name", denoiser_strategies())
def test_the_first_task_is_finetuning_bit_for_bit(name, tiny_run):
    run, finetuned = tiny_run(name), tiny_run("finetune")
    assert weights(run.path / "models" / "task_1") == weights(finetuned.path / "models" / "task_1")
    same_in_the_end = weights(run.path / "models" / "task_2") == weights(finetuned.path / "models" / "task_2")
    assert same_in_the_end == (name == "finetune")


@pytest.mark.parametrize("name", denoiser_strategies())
def test_passes_are_those_of_the_arithmetic(name, tiny_run):
    """4 steps of 8 pictures in each of 2 tasks; student 3 a picture; dreams N more, a teacher's opinion 1.

    Paths are drawn whole: those of 20 points, which would serve 20 steps, for the 4 that there are. Importance is measured
    once, on 20 pictures.
    """
    run = tiny_run(name)
    options = catalog.check_options(catalog.look_up(name), {})
    if "beside" in options:
        options |= catalog.check_options(catalog.look_up(options["beside"]), {})
    measured = {"ewc": 20, "rank1_ewc": 2 * 20}.get(name, 0)
    replayed = {"finetune": 0, "joint": 0, "lwf": 0, "ewc": 0}.get(name, 1)
    steps = options.get("teacher_steps", 0)
    opinions = 0 if name in ("finetune", "joint", "experience_replay", "generative_replay", "ewc") else 1
    pictures = 4 * 8
    assert run.results["cost"]["student_passes"] == 3 * pictures * (2 + replayed) + 3 * measured
    asked = 20 * 8 if name == "trajectory_distillation" else pictures * (steps + opinions)
    assert run.results["cost"]["teacher_passes"] == asked


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
    """Comparisons are paired. Task 2 begins with the same weights for all, and its data term with the same loss, to the
    order of summation; with another seed it is another."""
    firsts = {}
    for name, seed in (("finetune", 0), ("generative_replay", 0), ("experience_replay", 0), ("finetune", 1)):
        out = tmp_path / f"{name}{seed}"
        run = palimpsest.train(tiny(engine={"log_every": 1}), strategy=name, seed=seed, out=out, display=QUIET)
        steps = [event for event in read_events(run.path / "events.jsonl") if event["event"] == "step"]
        second = next(event for event in steps if event["task"] == 2)
        firsts[name, seed] = second["losses"]["data × true_noise"]
    expected = firsts["finetune", 0]
    assert firsts["generative_replay", 0] == pytest.approx(expected, rel=1e-5)
    assert firsts["experience_replay", 0] == pytest.approx(expected, rel=1e-5)
    assert firsts["finetune", 1] != pytest.approx(expected, rel=1e-3)


def test_two_networks_are_held_at_most(tmp_path):
    """The student and one teacher, from the second task on, and the state of one optimizer."""
    counts = []

    class Counting(type(QUIET)):
        def step(self, *arguments):
            gc.collect()
            counts.append(sum(isinstance(thing, Denoiser) for thing in gc.get_objects()))

    gc.collect()
    before = sum(isinstance(thing, Denoiser) for thing in gc.get_objects())
    tables = tiny(stream={"tasks": [[0], [1], [2]]}, engine={"log_every": 1})
    palimpsest.train(tables, out=tmp_path / "run", display=Counting(quiet=True))
    assert max(counts) - before == 2


@palimpsest.strategy(keeps={"teacher"})
def two_phases(now, past):
    """A specialist of the task, from which the past's model then learns; the input layer stays as it was."""
    specialist = yield palimpsest.Phase("denoiser", [palimpsest.Term(now.data, now.truth)], name="local")
    LEFT.append((now.k, specialist.learner))
    yield palimpsest.Phase(
        "denoiser",
        [palimpsest.Term(now.data, specialist.noise)],
        start=past.denoiser,
        freeze=("network.conv_in.*",),
        name="global",
    )


LEFT: list = []


def test_several_phases_are_trained_in_order_and_answer_with_what_they_leave(tmp_path):
    LEFT.clear()
    run = palimpsest.train(tiny(), strategy=two_phases, out=tmp_path / "run", display=QUIET)
    assert [k for k, _ in LEFT] == [1, 2, 1, 2], "rehearsed, and then trained"
    first, second = (open_pipeline(run.path / "models" / f"task_{k}")[0].state_dict() for k in (1, 2))
    specialist = LEFT[-1][1].state_dict()
    frozen, learnt = "network.conv_in.weight", "network.conv_out.weight"
    assert torch.equal(second[frozen], first[frozen]), "it starts from the past, and what is frozen does not change"
    assert not torch.equal(specialist[frozen], first[frozen])
    assert not torch.equal(second[learnt], first[learnt])


@pytest.mark.parametrize("steps", [3, 6, 14])
@pytest.mark.parametrize("keep", [False, True])
def test_finished_phases_are_answered_from_disk(steps, keep, tmp_path):
    """Interrupted in either phase of either task; with the optimizer's state carried over different frozen parameters."""
    tables = tiny(training={"keep_optimizer_state": keep})
    whole = palimpsest.train(tables, strategy=two_phases, out=tmp_path / "whole", display=QUIET)
    with interrupted_after(steps):
        palimpsest.train(tables, strategy=two_phases, out=tmp_path / "run", display=QUIET)
    with pytest.raises(RequestError, match="the strategy of .* was passed in from Python"):
        palimpsest.resume(tmp_path / "run", display=QUIET)
    palimpsest.resume(tmp_path / "run", strategy=two_phases, display=QUIET)
    for task in ("task_1", "task_2"):
        assert weights(tmp_path / "run" / "models" / task) == weights(whole.path / "models" / task)


def test_a_run_is_resumed_with_its_own_strategy_and_stream_only(tmp_path):
    with interrupted_after(6):
        palimpsest.train(tiny(), strategy="lwf", out=tmp_path / "run", display=QUIET)

    @palimpsest.strategy(keeps={"teacher"}, learners="any")
    def lwf(now, past, *, strength: float = 1.25):
        """Not the real one."""
        return palimpsest.Phase("denoiser", [palimpsest.Term(now.data, now.truth)])

    with pytest.raises(RequestError, match="belong to another experiment: strategy.passed_in"):
        palimpsest.resume(tmp_path / "run", strategy=lwf, display=QUIET)
    other = open_stream(StreamOptions(tasks=[[0, 1], [4, 5]]), 0, "cpu")
    with pytest.raises(RequestError, match="the pictures of task 2 are not those that .* was begun with"):
        palimpsest.resume(tmp_path / "run", stream=other, display=QUIET)
