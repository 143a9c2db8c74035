"""Where a generator has moved away from earlier models, and what it still makes of what a given one made."""

from collections.abc import Callable

import torch
from torch import Tensor

from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.evaluation.denoising import denoising_error, predictions, spread_levels
from palimpsest.evaluation.kept import expected, newly_made, still_made
from palimpsest.evaluation.measures import LEAST
from palimpsest.measuring.found import Found
from palimpsest.measuring.yardstick import Yardstick, some
from palimpsest.models.joint import can_be_looked_into, features
from palimpsest.streams.stream import Task

GIVEN = 0  # the number of a given model, where tasks count from 1


def measure_forgetting(
    found: Found,
    task: Task,
    denoiser: Denoiser,
    model: Callable[[int], Denoiser | None],
    first: dict[int, Tensor],
    yardstick: Yardstick,
    seed: int,
) -> None:
    """Where, in noise levels, the model has moved away from the first models that knew the past tasks.

    first: what these said, by task; what is not there is asked of `model`, and put there.
    """
    errors: dict[int, list[float]] = {}
    for earlier in yardstick.seen(task):
        pictures = yardstick.probes(earlier)
        if pictures is None:
            return
        address = (seed, "denoising error", earlier.number)
        present = predictions(denoiser, *pictures, address)
        if earlier is task:
            first[task.number] = present
        elif earlier.number not in first:  # after an interruption
            if (knew := model(earlier.number)) is None:
                found.warnings.append(f"no denoising error: the model of task {earlier.number} is not there any more")
                return
            first[earlier.number] = predictions(knew, *pictures, address)
        if earlier is not task:
            errors[earlier.number] = denoising_error(present, first[earlier.number])
    found.add_errors(spread_levels(denoiser.process.steps), errors)


def measure_kept(
    found: Found,
    task: Task,
    denoiser: Denoiser,
    given: Denoiser,
    own: Tensor,
    made: Tensor,
    yardstick: Yardstick,
    seed: int,
) -> None:
    """What is still there of a given model, by its `own` samples beside those that the taught one has `made` (N, C, H, W).

    Of a model that is told of classes both are of those that the given one knew.
    """
    options = yardstick.options
    if broken := int((~torch.cat([own, made]).isfinite().flatten(1).all(dim=1)).sum()):
        found.warnings.append(f"what was kept is not measured: {broken} samples hold NaN or infinite pixels")
        return
    if options.denoising:
        found.add_errors(
            spread_levels(given.process.steps), {GIVEN: moved(own[: options.denoising], denoiser, given, seed)}
        )
    if not can_be_looked_into(given.network):
        found.warnings.append("no coverage_old: the features of the given model's kind of network cannot be taken")
        return

    training = yardstick.training(task)
    new = training.take(some(training, len(own)))[0]
    own_features, of_made, of_new = (looked_at(x, given, options.batch) for x in (own, made, new))
    if not torch.cat([own_features, of_made, of_new]).isfinite().all():
        found.warnings.append("no coverage_old: in the given model's features there are numbers that are not finite")
        return
    due = 1.0 if given.conditional else 1 / (1 + len(yardstick.seen(task)))
    found.measures |= still_made(own_features, of_made)
    found.facts["kept"] = {
        "samples": len(own),
        "expected": expected(len(own), len(made), due),
        "new_pictures": still_made(own_features, of_new) if len(new) >= LEAST else {},
        "learnt": newly_made(of_new, own_features, of_made, 1 - due) if len(new) >= LEAST and due < 1 else {},
    }


def moved(x: Tensor, denoiser: Denoiser, given: Denoiser, seed: int) -> list[float]:
    """The denoising error of a model against the given one, by level, on samples (N, C, H, W) of the latter."""
    device = next(given.parameters()).device
    y = torch.tensor(given.told_of, device=device).repeat(len(x))[: len(x)] if given.conditional else None
    said = (predictions(each, x.to(device), y, (seed, "denoising error", GIVEN)) for each in (denoiser, given))
    return denoising_error(*said)


@torch.no_grad()
def looked_at(x: Tensor, given: Denoiser, batch: int) -> Tensor:
    """The given model's features (N, D) of pictures (N, C, H, W), float32 on the CPU."""
    device = next(given.parameters()).device
    return torch.cat([features(given.network, part.to(device)).float().cpu() for part in x.split(batch)])
