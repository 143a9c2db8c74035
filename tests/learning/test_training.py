"""How a phase descends: lengths, optimizers, learning rates, averages, precision."""

import math

import pytest
import torch

import palimpsest
from palimpsest.core.errors import RequestError
from palimpsest.core.term import Phase
from palimpsest.learning.devices import Machine
from palimpsest.learning.options import TrainingOptions
from palimpsest.learning.teacher import frozen
from palimpsest.learning.work import Descent, Work, batches, learning_rate
from palimpsest.models.pipelines import open_pipeline
from palimpsest.runs.checkpoint import Checkpoints, read
from palimpsest.sources import Data
from palimpsest.streams.pictures import Pictures
from tests.tiny import QUIET, interrupted_after, same, tiny, tiny_denoiser, weights

CPU = Machine(torch.device("cpu"))


def newest(run) -> dict[str, torch.Tensor]:
    """The tensors of a run's newest checkpoint."""
    return read(Checkpoints(run.path / "checkpoints").latest(print))[1]


def numbered(count: int) -> Data:
    """Pictures whose labels are their row numbers."""
    return Data(Pictures(torch.zeros(count, 1, 2, 2, dtype=torch.uint8), torch.arange(count)))


def labels_of(source: Data, options: TrainingOptions, first: int = 0) -> list[list[int]]:
    drawn = batches(Descent.of(Phase("denoiser"), options, len(source)), len(source), (0, 1, "train 0"), CPU, first)
    return [source.draw(batch).y.tolist() for batch in drawn]


def test_an_epoch_shows_every_picture_once_and_keeps_the_short_last_batch():
    options = TrainingOptions(epochs=3, batch=4)
    drawn = labels_of(numbered(10), options)
    assert [len(batch) for batch in drawn] == [4, 4, 2] * 3
    epochs = [sum(drawn[place : place + 3], []) for place in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_by_steps_every_batch_is_whole_and_each_picture_comes_equally_often():
    drawn = labels_of(numbered(10), TrainingOptions(steps=5, batch=4))
    assert [len(batch) for batch in drawn] == [4] * 5
    assert sorted(sum(drawn, [])) == sorted(list(range(10)) * 2)


def test_a_batch_depends_on_its_step_alone():
    options = TrainingOptions(epochs=2, batch=4)
    assert labels_of(numbered(10), options, first=4) == labels_of(numbered(10), options)[4:]


def test_replay_matches_the_short_last_batch(tmp_path):
    """360 pictures of the digits 0 and 1, in batches of 64 over one epoch: as many dreams as pictures."""
    tables = tiny(training={"steps": 0, "epochs": 1, "batch": 64})
    run = palimpsest.train(tables, strategy="generative_replay", out=tmp_path / "run", display=QUIET)
    cost = run.results["cost"]
    first, second = pictures_of_tasks(tables)
    assert cost["student_passes"] == 3 * (first + 2 * second)
    assert cost["teacher_passes"] == 2 * second


def pictures_of_tasks(tables: dict) -> list[int]:
    from palimpsest.streams.open import open_stream
    from palimpsest.streams.options import StreamOptions

    return [len(task.train) for task in open_stream(StreamOptions(**tables["stream"]), 0, "cpu")]


def test_joint_training_by_epochs_grows_with_the_data(tmp_path):
    tables = tiny(training={"steps": 0, "epochs": 1, "batch": 64})
    run = palimpsest.train(tables, strategy="joint", out=tmp_path / "run", display=QUIET)
    first, second = pictures_of_tasks(tables)
    assert run.results["cost"]["student_passes"] == 3 * (first + first + second)


def test_learning_rates_are_functions_of_the_step():
    def rates(**options):
        made = TrainingOptions(steps=10, learning_rate=1.0, **options)
        return [learning_rate(made, step / 10, step) for step in range(10)]

    assert rates() == [1.0] * 10
    assert rates(schedule="warmup", warmup_steps=4) == pytest.approx([0.25, 0.5, 0.75, 1.0] + [1.0] * 6)
    assert rates(schedule="step", milestones=(0.5, 0.8), decay=0.1) == pytest.approx([1.0] * 5 + [0.1] * 3 + [0.01] * 2)
    cosine = rates(schedule="cosine")
    assert cosine[0] == 1.0 and cosine[5] == pytest.approx(0.5)
    assert cosine[9] == pytest.approx(0.5 * (1 + math.cos(0.9 * math.pi)))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_each_optimizer_learns_and_resumes(optimizer, tmp_path):
    tables = tiny(training={"optimizer": optimizer, "weight_decay": 0.1, "schedule": "cosine", "warmup_steps": 1})
    whole = palimpsest.train(tables, out=tmp_path / "whole", display=QUIET)
    stopped = tmp_path / "stopped"
    with interrupted_after(7):
        palimpsest.train(tables, out=stopped, display=QUIET)
    palimpsest.resume(stopped, display=QUIET)
    assert weights(stopped / "models" / "task_2") == weights(whole.path / "models" / "task_2")
    assert weights(stopped / "models" / "task_1") != weights(stopped / "models" / "task_2")


def test_the_optimizer_forgets_at_each_task_unless_told_to_keep_its_state(tmp_path):
    ends = {}
    for keep in (False, True):
        tables = tiny(training={"keep_optimizer_state": keep}, strategy={"name": "finetune"})
        run = palimpsest.train(tables, out=tmp_path / str(keep), display=QUIET)
        ends[keep] = run.path / "models"
        tensors = newest(run)
        steps = {t.item() for name, t in tensors.items() if name.startswith("carried.") and name.endswith(".step")}
        assert steps == ({8.0} if keep else set())  # 4 steps in each of 2 tasks
    assert weights(ends[False] / "task_1") == weights(ends[True] / "task_1")
    assert weights(ends[False] / "task_2") != weights(ends[True] / "task_2")
    stopped = tmp_path / "stopped"
    with interrupted_after(6):
        palimpsest.train(tables, out=stopped, display=QUIET)
    palimpsest.resume(stopped, display=QUIET)
    assert weights(stopped / "models" / "task_2") == weights(ends[True] / "task_2")


def test_the_average_follows_its_equation():
    student, options = tiny_denoiser(), TrainingOptions(steps=3, average=0.5)
    work = Work(student, Phase("denoiser"), Descent.of(Phase("denoiser"), options, 0), CPU)
    expected = {name: p.detach().clone() for name, p in student.named_parameters()}
    for n in range(3):
        with torch.no_grad():
            for parameter in student.parameters():
                parameter.add_(1.0)
        work.average.update(student)
        decay = min(0.5, (1 + n) / (10 + n))
        expected = {name: decay * expected[name] + (1 - decay) * p for name, p in student.named_parameters()}
    for name, parameter in work.averaged().named_parameters():
        assert torch.allclose(parameter, expected[name], atol=1e-5)


def test_an_average_goes_on_from_a_teachers_where_it_is_asked_to():
    def work(teacher, **options):
        phase = Phase("denoiser", start=teacher)
        options = TrainingOptions(steps=3, average=0.9, **options)
        return Work(tiny_denoiser(), phase, Descent.of(phase, options, 0), CPU)

    before = tiny_denoiser(1)
    before.updates = 40
    teacher = frozen(tiny_denoiser(2), before)
    anew, kept, without = work(teacher), work(teacher, keep_average=True), work(teacher.using("raw"), keep_average=True)
    for found, count, expected in ((anew, 0, teacher.learner), (kept, 40, before), (without, 0, teacher.learner)):
        assert found.average.updates == count and same(found.learner, teacher.learner)
        assert all(torch.equal(found.average.weights[name], p) for name, p in expected.named_parameters())
    assert kept.averaged().updates == 40


def test_keeping_an_average_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="keep_average needs an average"):
        TrainingOptions(steps=3, keep_average=True)


def test_teachers_carry_raw_or_averaged_weights_as_asked(tmp_path):
    """The saved model is the averaged one; the teacher in the checkpoint after the last task is as asked."""
    teachers = {}
    for kind in ("raw", "average"):
        tables = tiny(training={"average": 0.9, "teacher_weights": kind})
        run = palimpsest.train(tables, out=tmp_path / kind, display=QUIET)
        tensors = newest(run)
        saved = open_pipeline(run.path / "models" / "task_2")[0].network.state_dict()
        name = "conv_in.weight"
        teachers[kind] = tensors[f"teacher.denoiser.network.{name}"]
        assert torch.equal(saved[name], tensors[f"averaged.denoiser.network.{name}"])
        expected = saved[name] if kind == "average" else tensors[f"learner.denoiser.network.{name}"]
        assert torch.equal(teachers[kind], expected)
    assert not torch.equal(teachers["raw"], teachers["average"])


def test_nothing_to_freeze_is_refused():
    with pytest.raises(RequestError, match='nothing to freeze is called "encoder'):
        Work(
            tiny_denoiser(),
            Phase("denoiser", freeze=("encoder.*",)),
            Descent.of(Phase("denoiser"), TrainingOptions(steps=1), 0),
            CPU,
        )


def test_bf16_learns_nearly_the_same(tmp_path):
    runs = {p: palimpsest.train(tiny(), precision=p, out=tmp_path / p, display=QUIET) for p in ("fp32", "bf16")}
    models = {p: open_pipeline(run.path / "models" / "task_2")[0] for p, run in runs.items()}
    assert not same(models["fp32"], models["bf16"])
    for one, other in zip(models["fp32"].parameters(), models["bf16"].parameters(), strict=True):
        assert torch.allclose(one, other, atol=0.02)


@pytest.mark.slow
def test_compiled_networks_learn_the_same(tmp_path):
    plain = palimpsest.train(tiny(), out=tmp_path / "plain", display=QUIET)
    compiled = palimpsest.train(tiny(engine={"compile": True}), out=tmp_path / "compiled", display=QUIET)
    models = [open_pipeline(run.path / "models" / "task_2")[0] for run in (plain, compiled)]
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.allclose(one, other, atol=1e-3)
