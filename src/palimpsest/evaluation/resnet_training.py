"""How the ResNet-18 of published rows is trained: by epochs, on a device, the best one kept."""

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, generator, permutation
from palimpsest.evaluation.evaluator import Evaluator, measure_accuracy
from palimpsest.evaluation.options import EvaluatorOptions
from palimpsest.evaluation.pictures import Pictures

DEGREES = 10.0  # most that a training picture is turned, either way
SHIFT = 0.1  # most that it is moved, either way, as a share of its width and height
TRIED_BATCHES = 4  # that are timed to tell what all of them take
NOISE = 0.1  # standard deviation of what is added to it, in pictures in [-1, 1]


def fit_resnet(module: nn.Module, train: Pictures, options: EvaluatorOptions, say: Callable[[str], None]) -> nn.Module:
    """Cross-entropy with Adam on augmented batches, as the evaluator of arXiv 2311.14028 was trained; on its device.

    After each epoch the accuracy on a share of `train` that is not trained on is said, and the best epoch's weights are
    those returned. Unlike the published one it starts from random weights and not from ImageNet's, its validation
    pictures come from the seed, and they are not augmented.
    """
    learned, held = split(len(train), options)
    optimizer = torch.optim.Adam(module.parameters(), lr=options.learning_rate)
    best, accuracy, state = 0, -1.0, {}
    for epoch in range(1, options.epochs + 1):
        train_epoch(module, train, learned, options, optimizer, epoch)
        found = measure_accuracy(Evaluator(module, "", "", 0.0), train, held)
        say(f"evaluator, epoch {epoch} of {options.epochs}: validation accuracy {found:.2%}")
        if found >= accuracy:  # of equals the last, which has trained longest
            best, accuracy = epoch, found
            state = {name: value.clone() for name, value in module.state_dict().items()}
    say(f"the evaluator keeps the weights of epoch {best}: validation accuracy {accuracy:.2%}")
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)


def split(count: int, options: EvaluatorOptions) -> tuple[Tensor, Tensor]:
    """Rows int64 that are trained on, and those that choose the epoch: a share `validation` of `count`, by the seed."""
    held = max(1, round(options.validation * count))
    if count - held < 2:
        raise RequestError(
            f"a resnet18 evaluator needs two training pictures beside its validation pictures, but {held} of {count} "
            "are held back; give the stream more, or use evaluation.evaluator.kind = small_cnn."
        )
    order = permutation((options.seed, "evaluator", "validation"), count)
    return order[held:], order[:held]


def train_epoch(
    module: nn.Module,
    train: Pictures,
    learned: Tensor,
    options: EvaluatorOptions,
    optimizer: torch.optim.Optimizer,
    epoch: int,
) -> None:
    """One pass over the rows `learned`, in an order of its own. A last batch of one is left out: it has no variance."""
    random = Random(generator(options.seed, "evaluator", "epoch", epoch))
    device = next(module.parameters()).device
    module.train()
    for rows in learned[random.choice(len(learned), len(learned))].split(options.batch):
        if len(rows) > 1:
            x, y = train.take(rows)
            loss = functional.cross_entropy(module(distorted(x.to(device, torch.float32), random)), y.to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()


def seconds_to_fit(module: nn.Module, train: Pictures, options: EvaluatorOptions) -> float:
    """What `fit_resnet` would take, from a few batches; a picture that is only looked at takes a third."""
    learned, held = split(len(train), options)
    optimizer = torch.optim.Adam(module.parameters(), lr=options.learning_rate)
    tried = learned[: TRIED_BATCHES * options.batch]
    for _ in range(2):  # the first warms up
        began = time.perf_counter()
        train_epoch(module, train, tried, options, optimizer, epoch=1)
        float(next(module.parameters()).detach().sum())  # waits for the device
    return (time.perf_counter() - began) / len(tried) * (len(learned) + len(held) / 3) * options.epochs


def distorted(x: Tensor, random: Random) -> Tensor:
    """Pictures (B, C, H, W) in [-1, 1], each flipped or not, turned by up to DEGREES, moved by up to SHIFT, and noisy.

    What comes into the picture from outside is black (−1); between pixels it is interpolated bilinearly. All numbers
    are drawn on the generator's device, so that they do not depend on where the network is trained.
    """
    where = placements(len(x), x.shape[2] / x.shape[3], random).to(x.device)
    grid = functional.affine_grid(where, list(x.shape), align_corners=False)
    moved = functional.grid_sample(x + 1, grid, padding_mode="zeros", align_corners=False) - 1
    return moved + NOISE * random.normal(*x.shape).to(x.device)


def placements(rows: int, aspect: float, random: Random) -> Tensor:
    """Where each picture's pixels come from: affine maps float (rows, 2, 3) between coordinates in [-1, 1].

    aspect: height / width, because a rotation in those coordinates is one only of a square.
    """
    flip = 1.0 - 2.0 * random.integers(2, rows)
    angle = math.radians(DEGREES) * (2 * random.uniform(rows) - 1)
    right, down = (2 * SHIFT * (2 * random.uniform(rows) - 1) for _ in range(2))  # the coordinates are 2 wide
    cos, sin = angle.cos(), angle.sin()
    x = torch.stack([flip * cos, -flip * sin * aspect, right], dim=1)
    y = torch.stack([sin / aspect, cos, down], dim=1)
    return torch.stack([x, y], dim=1)
