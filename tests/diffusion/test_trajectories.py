"""Sampling paths: their levels, their ends, and how exact they are."""

from itertools import pairwise

import pytest
import torch

from palimpsest.core.random import Random, generator
from palimpsest.diffusion.process import Process, linear, rescale_zero_terminal_snr
from palimpsest.diffusion.samplers import ddim
from palimpsest.diffusion.trajectories import SOLVERS, levels_of, spread_times, stratified_times, trajectory
from tests.tiny import tiny_denoiser

SPREAD = 0.5  # standard deviation of the pictures below


def random(name: str) -> Random:
    return Random(generator("paths", name))


def noise_like(x):
    """What a path asks for new noise."""
    drawn = random("fresh")
    return lambda: drawn.normal(*x.shape)


def noise_in_gaussian_pictures(process: Process):
    """The best answer for pictures ~ N(0, s²): ε = σ x / (ᾱ s² + σ²)."""

    def noise_of(x, t):
        signal, sigma = process.levels(t)
        return sigma * x / (signal**2 * SPREAD**2 + sigma**2)

    return noise_of


@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_a_ddim_path_ends_where_the_sampler_ends(steps):
    teacher = tiny_denoiser()
    x = random("x").normal(5, 1, 8, 8)
    points, end = trajectory(teacher.noise, x, teacher.process, spread_times(teacher.process, steps, 5), steps)
    assert torch.equal(end, ddim(teacher.noise, x, teacher.process, steps)) and len(points) == steps
    assert torch.equal(points[0][0], x)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("passes", [1, 2, 5, 8])
def test_a_path_has_as_many_points_as_passes(solver, passes):
    process = Process(linear())
    times = stratified_times(process, levels_of(solver, passes), random("t"), 7)
    x = random("x").normal(7, 1, 2, 2)
    how = {"solver": solver, "fresh": noise_like(x)}
    points, _ = trajectory(noise_in_gaussian_pictures(process), x, process, times, passes, **how)
    assert len(points) == passes and all(x.shape == said.shape and t.shape == (7,) for x, t, said in points)


def error(solver: str, levels: int) -> float:
    """How far paths end from the exact end s x_T / √(ᾱ_T s² + σ_T²) of the probability flow."""
    process = Process(linear())
    times = spread_times(process, levels, 64)
    x = random("x").normal(64, 1, 4, 4).double()
    passes = levels if solver != "heun" else 2 * levels - 1
    _, end = trajectory(noise_in_gaussian_pictures(process), x, process, times, passes, solver=solver, clip=None)
    signal, sigma = process.levels(times[0])
    exact = SPREAD * x / (signal**2 * SPREAD**2 + sigma**2).sqrt()
    return (end - exact).abs().mean().item()


def test_solvers_of_second_order_end_nearer_to_the_truth():
    for levels in (20, 40):
        assert error("dpmsolver++", levels) < error("ddim", levels) / 2
        assert error("heun", levels) < error("ddim", levels) / 2
    assert error("ddim", 40) < 0.6 * error("ddim", 20)


def test_the_levels_of_a_row_lie_one_in_each_slice():
    process = Process(linear())
    times = stratified_times(process, 7, random("t"), 2000)
    edges = torch.tensor([1000 * number // 7 for number in range(8)])
    assert torch.equal(torch.bucketize(times, edges, right=True) - 1, torch.arange(6, -1, -1)[:, None].expand(7, 2000))
    assert len(times[3].unique()) > 130, "uniform in the slice"


@pytest.mark.parametrize("zero", [False, True])
def test_paths_begin_where_hardly_any_picture_is_left(zero):
    process = Process(rescale_zero_terminal_snr(linear()) if zero else linear())
    first = stratified_times(process, 2, random("t"), 4000)[0]
    assert process.signal[first].max() <= 0.02 and first.min() == process.first_pure
    assert process.signal[process.first_pure - 1] > 0.02


def test_a_process_that_never_gets_pure_begins_at_its_last_level():
    process = Process(linear()[:300])
    assert process.first_pure == 299 and stratified_times(process, 3, random("t"), 50)[0].unique().tolist() == [299]


@pytest.mark.parametrize("solver", SOLVERS)
def test_levels_that_lie_on_the_floor_give_finite_paths(solver):
    process = Process(rescale_zero_terminal_snr(linear(4000)))
    times = stratified_times(process, levels_of(solver, 10), random("t"), 64)
    x = random("x").normal(64, 1, 2, 2)
    how = {"solver": solver, "fresh": noise_like(x)}
    points, end = trajectory(noise_in_gaussian_pictures(process), x, process, times, 10, **how)
    assert end.isfinite().all() and all(x.isfinite().all() for x, _, _ in points)


def test_fresh_paths_noise_what_was_promised_with_noise_of_their_own():
    """Each point is the picture that was promised at the one before, noised by what was drawn; and points share no noise."""
    process, x = Process(linear()), random("x").normal(256, 1, 4, 4)
    times = spread_times(process, 5, 256)
    points, end = trajectory(
        noise_in_gaussian_pictures(process), x, process, times, 5, solver="fresh", fresh=noise_like(x)
    )
    again = noise_like(x)
    for (before, t, said), (x_t, then, _) in pairwise(points):
        signal, sigma = process.levels(then)
        promised = process.clean(before, said, t).clamp(-1, 1)
        torch.testing.assert_close(x_t, signal * promised + sigma * again())
    first, second = points[1][0].flatten(), points[2][0].flatten()
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 0.2
    assert torch.equal(end, process.clean(points[-1][0], points[-1][2], times[-1]).clamp(-1, 1))
