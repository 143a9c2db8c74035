"""Drawing ahead: the same samples, for many steps at once."""

import itertools
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from palimpsest.core.batch import Ahead, Batch
from palimpsest.core.errors import RequestError
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.samplers import SAMPLERS, Sampler
from palimpsest.diffusion.schedulers import build
from palimpsest.sources import Dreams, Gaussian, Halfway, Trajectories
from palimpsest.sources.ahead import bytes_for, chunk_steps
from tests.tiny import SHAPE, tiny_denoiser

ROWS, STEPS = 4, 12


def a_teacher(*given, **options) -> Denoiser:
    """A denoiser that nobody trains."""
    return tiny_denoiser(*given, **options).eval().requires_grad_(False)


def batch(step: int, ahead: int | Ahead = 0, **changed) -> Batch:
    """A step of a phase of 12 steps of 4 rows."""
    made = Batch(
        ROWS,
        step * ROWS,
        (0, 2, "train 0", step),
        whole=ROWS,
        steps=STEPS,
        ahead=ahead if isinstance(ahead, Ahead) else Ahead(ahead),
    )
    return replace(made, **changed)


def drawn(source, ahead: int | Ahead, **changed) -> torch.Tensor:
    """What a source draws in all steps of the phase, (steps, B, C, H, W)."""
    flows = [source.draw(batch(step, ahead, **changed)) for step in range(STEPS)]
    return torch.stack([flow.x if hasattr(flow, "x") else flow.x_t for flow in flows])


@pytest.mark.parametrize("ahead", [2 * ROWS, 5 * ROWS, 100])
@pytest.mark.parametrize(
    "sampler",
    [
        *(Sampler(name, 3) for name in SAMPLERS),
        Sampler("ddim", 3, eta=0.5),
        Sampler("DDPMScheduler", 3),
        Sampler("EulerAncestralDiscreteScheduler", 3),
    ],
    ids=lambda sampler: f"{sampler.name}{sampler.eta or ''}" if isinstance(sampler, Sampler) else str(sampler),
)
def test_dreams_drawn_ahead_are_those_drawn_in_their_step(sampler, ahead):
    teacher = a_teacher(zero_terminal_snr=not sampler.name.startswith("Euler"))
    one_by_one = drawn(Dreams(teacher, sampler), 0)
    torch.testing.assert_close(drawn(Dreams(teacher, sampler), ahead), one_by_one, rtol=0, atol=1e-3)
    assert len(one_by_one.flatten(0, 1).flatten(1).unique(dim=0)) == STEPS * ROWS


def test_samples_stopped_halfway_are_drawn_ahead_too():
    teacher = a_teacher()
    torch.testing.assert_close(drawn(Halfway(teacher, 3), 8), drawn(Halfway(teacher, 3), 0), rtol=0, atol=1e-4)


@pytest.mark.parametrize("ahead", [0, 2 * ROWS, 100])
def test_every_dream_is_used_as_often_as_asked(ahead):
    teacher = a_teacher()
    teacher.passes = 0
    pictures = drawn(Dreams(teacher, Sampler("ddim", 2), reuse=3), ahead)
    for row in range(ROWS):
        _, times = pictures[:, row].flatten(1).unique(dim=0, return_counts=True)
        assert times.tolist() == [3] * (STEPS // 3)
    assert teacher.passes == 2 * ROWS * STEPS // 3


def test_reused_dreams_lie_apart():
    pictures = drawn(Dreams(a_teacher(), Sampler("ddim", 2), reuse=3), 0)
    repeated = (pictures[1:] == pictures[:-1]).flatten(2).all(-1).float().mean()
    assert repeated < 0.3, "of four dreams a row, each used once before any is used again"


@pytest.mark.parametrize("reuse", [1, 3])
def test_how_much_is_drawn_at_once_decides_the_last_bits_only(reuse):
    """Also where memory says how much, which differs between one process and three."""
    teacher = a_teacher()
    one = drawn(Dreams(teacher, Sampler("ddim", 2), reuse=reuse), 0)
    tight = Ahead(100, 2.5 * ROWS * Dreams(teacher, Sampler("ddim", 2)).row_bytes)
    for ahead in (Ahead(2 * ROWS), Ahead(100), tight):
        parts = [drawn(Dreams(teacher, Sampler("ddim", 2), reuse=reuse), ahead, rank=r, world=3) for r in range(3)]
        torch.testing.assert_close(torch.cat(parts, 1), one, rtol=0, atol=1e-4)


@pytest.mark.parametrize("reuse", [1, 3])
def test_no_more_is_drawn_than_a_phase_uses(reuse):
    teacher = a_teacher()
    teacher.passes = 0
    drawn(Dreams(teacher, Sampler("ddim", 2), reuse=reuse), 5 * ROWS)
    assert teacher.passes == 2 * ROWS * STEPS // reuse


def test_going_on_inside_a_chunk_draws_it_again_and_counts_it_once():
    teacher = a_teacher()
    whole = drawn(Dreams(teacher, Sampler("ddim", 2), reuse=2), 100)
    teacher.passes = 0
    resumed = Dreams(teacher, Sampler("ddim", 2), reuse=2)
    for step in range(5, STEPS):
        assert torch.equal(resumed.draw(batch(step, 100)).x, whole[step])
    assert teacher.passes == 0


@pytest.mark.parametrize("world", [1, 3])
def test_a_short_batch_has_the_first_rows_of_a_whole_one(world):
    teacher = a_teacher()
    whole = Dreams(teacher, Sampler("ddim", 2)).draw(batch(7, 100)).x
    parts = [
        Dreams(teacher, Sampler("ddim", 2)).draw(batch(7, 100, size=3, rank=r, world=world)).x for r in range(world)
    ]
    torch.testing.assert_close(torch.cat(parts), whole[:3], rtol=0, atol=1e-4)


def test_a_changed_source_draws_anew():
    dreams = Dreams(a_teacher(), Sampler("ddim", 2))
    first = dreams.draw(batch(0)).x
    for change in ({"name": "more dreams"}, {"sampler": Sampler("ddim", 3)}, {"denoiser": a_teacher(1)}):
        assert not torch.equal(replace(dreams, **change).draw(batch(0)).x, first)


def test_what_reads_a_student_in_training_is_not_drawn_ahead():
    live = tiny_denoiser().requires_grad_(True)
    assert chunk_steps(Dreams(live, Sampler("ddim", 2)), batch(0, 100)) == 1
    assert chunk_steps(Dreams(live.requires_grad_(False), Sampler("ddim", 2)), batch(0, 100)) > 1


def test_no_more_is_drawn_at_once_than_the_memory_holds():
    dreams = Dreams(a_teacher(), Sampler("ddim", 2))
    roomy, tight = (Ahead(100, share * ROWS * dreams.row_bytes) for share in (5.5, 0.9))
    assert chunk_steps(dreams, replace(batch(0), ahead=roomy)) == 5
    with pytest.raises(RequestError, match="drawing dreams for a batch of 4 takes .* engine.dream_memory is .*; raise"):
        dreams.draw(replace(batch(0), ahead=tight))
    assert chunk_steps(Gaussian(SHAPE, 100), batch(0, 100)) == 1
    assert chunk_steps(dreams, batch(0, 100)) == STEPS, "never longer than the phase"


KINDS = {  # by what drawing takes memory for
    **{f"dreams used {r} times": partial(Dreams, sampler=Sampler("ddim", 3), reuse=r) for r in (1, 2, 10)},
    **{
        name: partial(Dreams, sampler=Sampler(name, 5))
        for name in ("ddpm", "dpmsolver++", "unipc", "HeunDiscreteScheduler")
    },
    "ddim with noise": partial(Dreams, sampler=Sampler("ddim", 3, eta=0.5)),
    "halfway": partial(Halfway, steps=3),
    **{
        f"paths of {n} by {name}": partial(Trajectories, steps=n, sampler=name)
        for name, n in itertools.product(("ddim", "dpmsolver++", "fresh"), (1, 2, 5))
    },
    "paths by heun": partial(Trajectories, steps=3, sampler="heun"),
    **{f"paths of {n}, half renoised": partial(Trajectories, steps=n, renoised=0.5) for n in (2, 5)},
}


@pytest.mark.parametrize("world", [1, 4])
@pytest.mark.parametrize("periods", [1, 2, 11])
@pytest.mark.parametrize("kind", KINDS)
def test_drawing_takes_no_more_memory_than_is_said(kind, periods, world):
    """With a teacher of one multiplication, so that samples are all that is held; of pictures large enough to count."""
    made = KINDS[kind](Denoiser(Scale(), tiny_denoiser().process, (1, 64, 64)).requires_grad_(False))
    place = Batch(8 * world, 0, (0, 2, "train 0", 0), whole=8 * world, world=world, ahead=Ahead(10**6))
    budget = 1.01 * bytes_for(made, place, periods)
    build.cache_clear()  # schedulers remember what they saw last
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        made.draw(replace(place, ahead=Ahead(10**6, budget)))
    events = [each for each in watched.profiler.kineto_results.events() if each.name() == "[memory]"]
    highest = max(itertools.accumulate(each.nbytes() for each in events))
    assert highest <= budget and (highest > budget / 4 or not made.together)


class Scale(torch.nn.Module):
    """Takes half of what it is given for noise."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.factor * x


def test_a_dream_is_used_at_least_once():
    with pytest.raises(RequestError, match="reuse is 0"):
        Dreams(a_teacher(), Sampler("ddim", 2), reuse=0)
