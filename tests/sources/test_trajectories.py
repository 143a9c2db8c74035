"""Points on a teacher's own sampling paths, with what it said there."""

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.sources import Trajectories
from palimpsest.sources.ahead import Chunk
from palimpsest.targets import TaughtNoise
from tests.sources.test_ahead import ROWS, STEPS, a_teacher, batch


def flows(source, ahead: int = 0, **changed) -> list:
    return [source.draw(batch(step, ahead, **changed)) for step in range(STEPS)]


@pytest.mark.parametrize("sampler", ["ddim", "heun", "dpmsolver++", "fresh"])
@pytest.mark.parametrize("renoised", [0.0, 0.5])
def test_the_answers_are_what_the_teacher_says_and_it_is_not_asked_again(sampler, renoised):
    teacher = a_teacher()
    teacher.passes = 0
    drawn = flows(Trajectories(teacher, 4 if renoised == 0 else 3, renoised, sampler))
    assert teacher.passes == ROWS * STEPS, "one pass an input"
    target = TaughtNoise(teacher)
    for flow in drawn:
        said = target.answer(flow)
        assert teacher.passes == ROWS * STEPS
        with torch.no_grad():
            torch.testing.assert_close(teacher.network(flow.x_t, flow.t).sample, said, rtol=0, atol=1e-5)
    teacher.passes = 0


@pytest.mark.parametrize("ahead", [0, 2 * ROWS])
def test_a_row_takes_every_point_of_its_path_once(ahead):
    """12 steps of paths of 4 points: three paths a row, whose levels lie one in each quarter of the 100 levels."""
    drawn = flows(Trajectories(a_teacher(), 4), ahead)
    levels = torch.stack([flow.t for flow in drawn])  # (steps, B)
    for row in levels.view(3, 4, ROWS).transpose(1, 2).flatten(0, 1):
        assert sorted((row // 25).tolist()) == [0, 1, 2, 3]
    assert any(len((flow.t // 25).unique()) > 1 for flow in drawn), "a batch holds mixed noise levels"


def test_it_depends_on_the_address_alone():
    teacher = a_teacher()
    once = flows(Trajectories(teacher, 4, 0.5))
    again = Trajectories(teacher, 4, 0.5).draw(batch(5))
    assert torch.equal(once[5].x_t, again.x_t) and torch.equal(once[5].t, again.t)
    ahead = flows(Trajectories(teacher, 4, 0.5), 100)
    for one, other in zip(once, ahead, strict=True):
        assert torch.equal(one.t, other.t)
        torch.testing.assert_close(one.x_t, other.x_t, rtol=0, atol=1e-4)
    parts = [flows(Trajectories(teacher, 4, 0.5), rank=rank, world=2) for rank in range(2)]
    for whole, first, second in zip(once, *parts, strict=True):
        assert torch.equal(torch.cat([first.t, second.t]), whole.t)
        torch.testing.assert_close(torch.cat([first.x_t, second.x_t]), whole.x_t, rtol=0, atol=1e-4)


def test_a_share_of_the_inputs_is_noised_anew():
    for share, again in ((0.0, 0), (0.25, 2), (0.5, 6), (0.75, 18)):
        assert Trajectories(a_teacher(), 6, share).again == again


def test_what_is_noised_anew_is_where_paths_end():
    """Paths of one pass end in one guess of the clean picture; 3 inputs of 4 are that picture at uniform levels."""
    teacher = a_teacher()
    source = Trajectories(teacher, 1, 0.75)
    chunk = Chunk.of(source, batch(0, 400, steps=400, whole=100, size=100), 4)
    x_t, t, _ = source.imagine(chunk)  # (4 inputs of each of 4 periods, 100, C, H, W)
    path, renoised = x_t.view(4, 4, 100, *x_t.shape[2:])[:, 0], x_t.view(4, 4, 100, *x_t.shape[2:])[:, 1:]
    levels = t.view(4, 4, 100)[:, 1:]
    assert levels.float().mean() == pytest.approx(49.5, abs=3) and len(levels.unique()) > 95
    with torch.no_grad():
        flat = path.flatten(0, 1)
        first = t.view(4, 4, 100)[:, 0].flatten()
        end = (
            teacher.process.clean(flat, teacher.noise(flat, first), first).clamp(-1, 1).view(4, 1, 100, *x_t.shape[2:])
        )
    signal, sigma = (part.view(4, 3, 100, 1, 1, 1) for part in teacher.process.levels(levels.flatten()))
    noise = (renoised - signal * end) / sigma
    assert noise[levels > 20].std() == pytest.approx(1, abs=0.05) and noise[levels > 20].mean().abs() < 0.02


def test_fixed_levels_are_those_of_the_sampler():
    drawn = flows(Trajectories(a_teacher(), 4, stratified=False))
    assert set(torch.stack([flow.t for flow in drawn]).flatten().tolist()) == {24, 49, 74, 99}


def test_the_ends_of_paths_are_pictures():
    pictures = Trajectories(a_teacher(), 4).pictures(batch(0))
    assert len(pictures) == ROWS and pictures.x.abs().max() <= 1


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"renoised": 1.0}, "renoised is 1, .* generative_distillation with reuse"),
        ({"renoised": -0.1}, "renoised is -0.1"),
        ({"renoised": 0.05}, "paths of 4 passes cannot have a share of 0.05 .* one of them is 0.2"),
        ({"clamp": False}, "clamp = false was asked of a process whose last level"),
        ({"sampler": "ddpm"}, 'unknown sampler of trajectories "ddpm".*heun'),
        ({"steps": 101}, "101 sampling steps were asked"),
    ],
)
def test_dials_out_of_range_are_refused(dials, message):
    with pytest.raises(RequestError, match=message):
        Trajectories(**{"denoiser": a_teacher(), "steps": 4} | dials)
