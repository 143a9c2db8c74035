"""What a step takes in memory at the least, known before it is taken."""

import copy
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
    """Bytes that a learner's pass over one picture keeps for the way back, its weights left out."""
    learner = copy.deepcopy(learner).eval()  # whose statistics and counted passes do not matter
    weights = {each.untyped_storage().data_ptr() for each in (*learner.parameters(), *learner.buffers())}
    kept: dict[int, Tensor] = {}  # by place, and held there, so that no place is used twice

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor), machine.autocast(), torch.enable_grad():
        answer = learner(question_of_one(learner))
    del answer
    return sum(each.untyped_storage().nbytes() for place, each in kept.items() if place not in weights)


def question_of_one(learner: nn.Module) -> dict[str, Images | Noised]:
    """A learner's first head, asked about a single picture."""
    device = next(learner.parameters()).device
    x, zero = torch.zeros(1, *learner.shape, device=device), torch.zeros(1, dtype=torch.int64, device=device)
    head = learner.heads[0]
    return {head: {"noise": Noised(x, zero, zero), "logits": Images(x)}[head]}
