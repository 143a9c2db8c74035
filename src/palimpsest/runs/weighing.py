"""What a step takes in memory at the least, known before it is taken."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from palimpsest.core.errors import RequestError
from palimpsest.core.files import megabytes
from palimpsest.core.images import Images, Noised
from palimpsest.learning.devices import Machine
from palimpsest.learning.options import TrainingOptions
from palimpsest.models.options import CLASSIFIERS


def check_step(learners: Mapping[str, nn.Module], training: Mapping[str, TrainingOptions], machine: Machine) -> int:
    """Refuse a batch whose activations alone are more than all of the memory; bytes that the largest step takes at the least.

    Replay adds as many pictures again, and a step holds more than its activations, so that a smaller batch may be too large, too.
    """
    most = 0
    for name, learner in learners.items():
        if not {"noise", "logits"} & {*learner.heads}:  # of features, which are small
            continue
        batch, each = training[name].batch, activation_bytes(learner, machine)
        taken = math.ceil(batch / machine.world) * each
        if taken > machine.memory:
            key = "classifier.training.batch" if name in CLASSIFIERS else "training.batch"
            raise RequestError(
                f"{key} is {batch:,}, and the {name} holds {megabytes(each)} of activations for each picture, {megabytes(taken)} in "
                f"a step; the {machine.device.type} has {megabytes(machine.memory)}: set {key} well below "
                f"{machine.memory // each * machine.world:,}."
            )
        most = max(most, taken)
    return most


def activation_bytes(learner: nn.Module, machine: Machine) -> int:
    """Bytes that each picture of a learner's pass keeps for the way back.

    By how much a pass over two keeps more than one over one: what they share are weights, also those that autocast has rounded.
    """
    passes, training = learner.passes, learner.training
    learner.eval()  # so that it learns no statistics
    two, one = (held(learner, machine, pictures) for pictures in (2, 1))
    learner.train(training).passes = passes
    return two - one


def held(learner: nn.Module, machine: Machine, pictures: int) -> int:
    """Bytes that a pass over so many pictures keeps for the way back, of weights, too."""
    kept: dict[int, Tensor] = {}  # by place, and held there, so that no place is used twice

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor), machine.autocast(), torch.enable_grad():
        answer = learner(question(learner, pictures))
    del answer
    return sum(each.untyped_storage().nbytes() for each in kept.values())


def question(learner: nn.Module, pictures: int) -> dict[str, Images | Noised]:
    """A learner's first head, asked about blank pictures."""
    device = next(learner.parameters()).device
    x = torch.zeros(pictures, *learner.shape, device=device)
    zero = torch.zeros(pictures, dtype=torch.int64, device=device)
    head = learner.heads[0]
    return {head: {"noise": Noised(x, zero, zero), "logits": Images(x)}[head]}
