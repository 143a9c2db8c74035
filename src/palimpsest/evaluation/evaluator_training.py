"""How an evaluator is trained: from addresses, and a small one on one thread, so that it has the same bytes again."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.random import Random, generator, seed_of
from palimpsest.evaluation.evaluator import Evaluator, build_network, measure_accuracy
from palimpsest.evaluation.options import EvaluatorOptions
from palimpsest.evaluation.pictures import Pictures
from palimpsest.evaluation.resnet_training import NOISE, fit_resnet, seconds_to_fit

TELL_EVERY = 200  # steps; tens of seconds for 28×28 pictures on one core
TRIED_STEPS = 10  # that are timed to tell what all of them take


def train_evaluator(
    train: Pictures,
    test: Pictures,
    classes: int,
    options: EvaluatorOptions,
    device: torch.device | str = "cpu",
    say: Callable[[str], None] = lambda sentence: None,
) -> Evaluator:
    """A classifier of all `classes` of a stream, trained on `train`; its accuracy is that on `test`. It is on the CPU.

    small_cnn trains on one CPU thread, so that its bytes are the same again, and resnet18 on `device`. The thread count
    and the global random state stay as they were.  say: is told how far it is, and the accuracy.
    """
    if not len(train) or not len(test):
        raise RequestError(
            f"an evaluator needs training and test pictures, but there are {len(train)} and {len(test)}; "
            "give the stream both."
        )
    module = build(train, classes, options)
    if options.kind == "resnet18":
        module = fit_resnet(module.to(device), train, options, say)
    else:
        with one_thread():
            module = fit(module, train, options, say)
    evaluator = Evaluator(module, f"{options.kind}-{options.features}", sha256_of(weights(module)), 0.0)
    with one_thread():
        accuracy = measure_accuracy(evaluator, test)
    say(f"the evaluator labels {accuracy:.2%} of the {len(test)} test pictures rightly")
    return replace(evaluator.on("cpu"), accuracy=accuracy)


def build(train: Pictures, classes: int, options: EvaluatorOptions) -> nn.Module:
    """The untrained network, its first weights drawn from the recipe's seed."""
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator alone: torch.manual_seed would also reset the accelerators' states, unrestored.
        torch.default_generator.manual_seed(seed_of(options.seed, "evaluator", "weights"))
        return build_network(options, train.shape, classes)


def fit(module: nn.Module, train: Pictures, options: EvaluatorOptions, say: Callable[[str], None]) -> nn.Module:
    """small_cnn: cross-entropy on augmented batches, with Adam and a cosine from `learning_rate` to 0.

    Pictures are shifted by up to a pixel and get a little noise, so that features mean something on samples too, which
    are never quite like real pictures.
    """
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
        if (step + 1) % TELL_EVERY == 0:
            say(f"evaluator: step {step + 1} of {options.steps}")
    return module.eval().requires_grad_(False)


def seconds_to_train(train: Pictures, classes: int, options: EvaluatorOptions, device: torch.device | str) -> float:
    """What `train_evaluator` would take, from a few steps; its measure on the test pictures is not in it."""
    if options.kind == "resnet18":
        return seconds_to_fit(build(train, classes, options).to(device), train, options)
    with one_thread():
        for steps in (1, TRIED_STEPS):  # the first warms up
            module, began = build(train, classes, options), time.perf_counter()
            fit(module, train, options.model_copy(update={"steps": steps}), say=lambda sentence: None)
    return (time.perf_counter() - began) / TRIED_STEPS * options.steps


def augment(x: Tensor, random: Random) -> Tensor:
    """Each picture (B, C, H, W) shifted by −1, 0 or 1 pixel either way (edges repeated), plus noise."""
    rows, _, height, width = x.shape
    shifted = functional.pad(x, (1, 1, 1, 1), mode="replicate").unfold(2, height, 1).unfold(3, width, 1)
    x = shifted[torch.arange(rows), :, random.integers(3, rows), random.integers(3, rows)]
    return x + NOISE * random.normal(*x.shape)


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
