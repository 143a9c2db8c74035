"""Trajectory distillation: what the previous model said while it dreamt."""

from palimpsest.core.term import Phase, Term
from palimpsest.strategies import strategy
from palimpsest.targets import true_noise


@strategy(keeps={"teacher"}, learners=("denoiser",))
def trajectory_distillation(
    now,
    past,
    *,
    teacher_steps: int = 20,
    teacher_sampler: str = "fresh",
    strength: float = 0.75,
    renoised: float = 0.0,
    stratified: bool = True,
    clamp: bool = True,
):
    """Distil the previous model at every point of its own sampling paths, where it has answered already (ours).

    L_k = 1/k · E_data ‖ε − ε_θ‖²  +  λ (1 − 1/k) · E_paths ‖ε_teacher − ε_θ‖²

    One pass of the teacher an input, whatever N; generative distillation takes N + 1.

    teacher_steps: N, passes of the teacher along a path
    teacher_sampler: how the paths go: fresh, which noises what is promised anew at each step, or ddim, heun, dpmsolver++
    strength: λ, how much the previous model's opinion matters
    renoised: share of the inputs that are the ends of the paths, noised anew and asked about
    stratified: noise levels drawn for each path, one in each of N equal slices; otherwise the sampler's usual ones
    clamp: clean pictures that are promised on the way are clamped as in sampling
    """
    paths = past.trajectories(teacher_steps, teacher_sampler, renoised=renoised, stratified=stratified, clamp=clamp)
    return Phase(
        "denoiser",
        [
            Term(now.data, true_noise, now.new),
            Term(paths, past.denoiser.noise, strength * now.old),
        ],
    )
