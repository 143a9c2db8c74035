"""Drawing ahead: the same samples, for many steps at once."""

from dataclasses import replace

import pytest
import torch

from palimpsest.core.batch import Ahead, Batch
from palimpsest.core.errors import RequestError
from palimpsest.diffusion.samplers import Sampler
from palimpsest.sources import Dreams, Gaussian, Halfway
from palimpsest.sources.ahead import check_memory, chunk_steps
from tests.tiny import SHAPE, tiny_denoiser

ROWS, STEPS = 4, 12
PICTURE = 4 * 64  # bytes of an 8×8 picture


def batch(step: int, ahead: int = 0, **changed) -> Batch:
    """A step of a phase of 12 steps of 4 rows."""
    made = Batch(ROWS, step * ROWS, (0, 2, "train 0", step), whole=ROWS, steps=STEPS, ahead=Ahead(ahead))
    return replace(made, **changed)


def drawn(source, ahead: int, **changed) -> torch.Tensor:
    """What a source draws in all steps of the phase, (steps, B, C, H, W)."""
    flows = [source.draw(batch(step, ahead, **changed)) for step in range(STEPS)]
    return torch.stack([flow.x if hasattr(flow, "x") else flow.x_t for flow in flows])


@pytest.mark.parametrize("sampler", [Sampler("ddim", 2), Sampler("ddpm", 3), Sampler("ddim", 3, eta=0.5)])
def test_dreams_drawn_ahead_are_those_drawn_in_their_step(sampler):
    teacher = tiny_denoiser()
    one_by_one = drawn(Dreams(teacher, sampler), 0)
    torch.testing.assert_close(drawn(Dreams(teacher, sampler), 5 * ROWS), one_by_one, rtol=0, atol=1e-4)
    assert len(one_by_one.flatten(0, 1).flatten(1).unique(dim=0)) == STEPS * ROWS


def test_samples_stopped_halfway_are_drawn_ahead_too():
    teacher = tiny_denoiser()
    torch.testing.assert_close(drawn(Halfway(teacher, 3), 8), drawn(Halfway(teacher, 3), 0), rtol=0, atol=1e-4)


@pytest.mark.parametrize("ahead", [0, 2 * ROWS, 100])
def test_every_dream_is_used_as_often_as_asked(ahead):
    teacher = tiny_denoiser()
    teacher.passes = 0
    pictures = drawn(Dreams(teacher, Sampler("ddim", 2), reuse=3), ahead)
    for row in range(ROWS):
        _, times = pictures[:, row].flatten(1).unique(dim=0, return_counts=True)
        assert times.tolist() == [3] * (STEPS // 3)
    assert teacher.passes == 2 * ROWS * STEPS // 3


def test_reused_dreams_lie_apart_where_there_is_room():
    pictures = drawn(Dreams(tiny_denoiser(), Sampler("ddim", 2), reuse=3), 100)
    repeated = (pictures[1:] == pictures[:-1]).flatten(2).all(-1).float().mean()
    assert 0 < repeated < 0.4, "four dreams a row in random order follow themselves about 2 times in 11"


@pytest.mark.parametrize("reuse", [1, 3])
def test_no_more_is_drawn_than_a_phase_uses(reuse):
    teacher = tiny_denoiser()
    teacher.passes = 0
    drawn(Dreams(teacher, Sampler("ddim", 2), reuse=reuse), 5 * ROWS)
    assert teacher.passes == 2 * ROWS * STEPS // reuse


def test_going_on_inside_a_chunk_draws_it_again_and_counts_it_once():
    teacher = tiny_denoiser()
    whole = drawn(Dreams(teacher, Sampler("ddim", 2), reuse=2), 100)
    teacher.passes = 0
    resumed = Dreams(teacher, Sampler("ddim", 2), reuse=2)
    for step in range(5, STEPS):
        assert torch.equal(resumed.draw(batch(step, 100)).x, whole[step])
    assert teacher.passes == 0


@pytest.mark.parametrize("reuse", [1, 3])
def test_several_processes_draw_what_one_draws(reuse):
    teacher = tiny_denoiser()
    one = drawn(Dreams(teacher, Sampler("ddim", 2), reuse=reuse), 2 * ROWS)
    parts = [drawn(Dreams(teacher, Sampler("ddim", 2), reuse=reuse), 2 * ROWS, rank=r, world=3) for r in range(3)]
    torch.testing.assert_close(torch.cat(parts, 1), one, rtol=0, atol=1e-4)


@pytest.mark.parametrize("world", [1, 3])
def test_a_short_batch_has_the_first_rows_of_a_whole_one(world):
    teacher = tiny_denoiser()
    whole = Dreams(teacher, Sampler("ddim", 2)).draw(batch(7, 100)).x
    parts = [
        Dreams(teacher, Sampler("ddim", 2)).draw(batch(7, 100, size=3, rank=r, world=world)).x for r in range(world)
    ]
    torch.testing.assert_close(torch.cat(parts), whole[:3], rtol=0, atol=1e-4)


def test_a_chunk_is_no_larger_than_its_memory():
    dreams = Dreams(tiny_denoiser(), Sampler("ddim", 2), reuse=3)
    assert dreams.row_bytes == PICTURE and SHAPE == (1, 8, 8)
    assert chunk_steps(dreams, batch(0, 100)) == 3 * 25
    roomy, tight = Ahead(100, 10 * ROWS * PICTURE), Ahead(100, 0.9 * ROWS * PICTURE)
    assert chunk_steps(dreams, replace(batch(0), ahead=roomy)) == 3 * 10
    check_memory(dreams, replace(batch(0), ahead=roomy))
    with pytest.raises(RequestError, match="dreams of batch 4 hold .* engine.dream_memory is .*; raise it"):
        check_memory(dreams, replace(batch(0), ahead=tight))
    assert chunk_steps(Gaussian(SHAPE, 100), batch(0, 100)) == 1


def test_a_dream_is_used_at_least_once():
    with pytest.raises(RequestError, match="reuse is 0"):
        Dreams(tiny_denoiser(), Sampler("ddim", 2), reuse=0)
