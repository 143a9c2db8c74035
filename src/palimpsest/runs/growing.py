"""A given model that is told of classes is taught new ones: its embeddings grow, and those that it has stay as they are."""

from collections.abc import Mapping

import torch
from torch import nn

from palimpsest.core.random import seed_of
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.streams.stream import Stream


def taught_new_classes(denoiser: Denoiser, names: Mapping[int, str], stream: Stream, seed: int) -> Stream:
    """The stream with the model's numbers for its classes, and new numbers for those that the model has not.

    The denoiser's embeddings grow with it, from `seed`; it may be asked for its old classes and the stream's.
    names: of the classes that it has learnt, by number. Classes are the same where their names are.
    """
    embeddings = denoiser.network.config.num_class_embeds
    room = embeddings - (denoiser.null is not None)
    old = {name: number for number, name in names.items()}
    new = [name for name in stream.class_names if name not in old]
    numbers = old | {name: room + place for place, name in enumerate(new)}
    grow(denoiser, len(new), seed)
    by_number = {number: name for name, number in numbers.items()}
    all_names = [by_number.get(number, f"class {number}") for number in range(room + len(new))]
    denoiser.told_of = tuple(sorted(by_number))
    return stream.renumbered([numbers[name] for name in stream.class_names], all_names, before=tuple(sorted(names)))


@torch.no_grad()
def grow(denoiser: Denoiser, count: int, seed: int) -> None:
    """`count` more class embeddings, as new ones are made; what stands for no class stays the last."""
    network, last = denoiser.network, denoiser.null
    table = network.class_embedding.weight
    room = len(table) - (last is not None)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "class embeddings", len(table)))
        grown = nn.Embedding(len(table) + count, table.shape[1]).to(table)
    grown.weight[:room] = table[:room]
    if last is not None:
        grown.weight[-1], denoiser.null = table[last], len(table) + count - 1
    network.class_embedding = grown
    network.register_to_config(num_class_embeds=len(table) + count)
