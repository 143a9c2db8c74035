"""How an evaluator is trained: on one thread, from addresses, so that the same data and recipe give the same bytes."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, generator, seed_of
from palimpsest.evaluation.evaluator import Evaluator, SmallCNN
from palimpsest.evaluation.options import EvaluatorOptions
from palimpsest.evaluation.pictures import Pictures, in_parts

NOISE = 0.1  # standard deviation added to training pictures, as the published evaluator's recipe does


def train_evaluator(train: Pictures, test: Pictures, classes: int, options: EvaluatorOptions) -> Evaluator:
    """A classifier of all `classes` of a stream, trained on `train`; its accuracy is that on `test`.

    Runs on one CPU thread and leaves the thread count and the global random state as they were. Training pictures are
    shifted by up to a pixel and get a little noise, so that features mean something on samples too, which are never
    quite like real pictures.
    """
    if not len(train) or not len(test):
        raise RequestError(
            f"an evaluator needs training and test pictures, but there are {len(train)} and {len(test)}; "
            "give the stream both."
        )
    with one_thread():
        module = fit(build(train, classes, options), train, options)
        evaluator = Evaluator(module, f"{options.kind}-{options.features}", sha256_of(weights(module)), 0.0)
        accuracy = measure_accuracy(evaluator, test)
    return Evaluator(module, evaluator.name, evaluator.sha256, accuracy)


def build(train: Pictures, classes: int, options: EvaluatorOptions) -> SmallCNN:
    """The untrained network, its first weights drawn from the recipe's seed."""
    channels, height, width = train.shape
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator alone: torch.manual_seed would also reset the accelerators' states, unrestored.
        torch.default_generator.manual_seed(seed_of(options.seed, "evaluator", "weights"))
        return SmallCNN(channels, classes, options.features, (height, width))


def fit(module: nn.Module, train: Pictures, options: EvaluatorOptions) -> nn.Module:
    """Cross-entropy on augmented batches, with Adam and a cosine from `learning_rate` to 0."""
    optimizer = torch.optim.Adam(module.parameters(), lr=options.learning_rate)
    module.train()
    for step in range(options.steps):
        random = Random(generator(options.seed, "evaluator", step))
        x, y = train.take(random.integers(len(train), options.batch))
        loss = functional.cross_entropy(module(augment(x.cpu().float(), random)), y.cpu())
        optimizer.param_groups[0]["lr"] = options.learning_rate * (1 + math.cos(math.pi * step / options.steps)) / 2
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return module.eval().requires_grad_(False)


def augment(x: Tensor, random: Random) -> Tensor:
    """Each picture (B, C, H, W) shifted by −1, 0 or 1 pixel either way (edges repeated), plus noise."""
    rows, _, height, width = x.shape
    shifted = functional.pad(x, (1, 1, 1, 1), mode="replicate").unfold(2, height, 1).unfold(3, width, 1)
    x = shifted[torch.arange(rows), :, random.integers(3, rows), random.integers(3, rows)]
    return x + NOISE * random.normal(*x.shape)


def measure_accuracy(evaluator: Evaluator, pictures: Pictures) -> float:
    """Share of the pictures that the evaluator labels rightly, 0 to 1; higher is better."""
    right = 0
    for rows in in_parts(pictures):
        x, y = pictures.take(rows)
        right += int((evaluator.labels(x) == y.cpu()).sum())
    return right / len(pictures)


def weights(module: nn.Module) -> bytes:
    """The network as the bytes of a safetensors file."""
    return save({name: value.contiguous() for name, value in module.state_dict().items()})


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, because the order in which threads add up decides the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
