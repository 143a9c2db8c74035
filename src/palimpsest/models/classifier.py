"""A classifier: a network that says which class a picture shows."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.random import Random, seed_of
from palimpsest.models.cnn import CNN
from palimpsest.models.heads import CosineHead, Known
from palimpsest.models.options import ClassifierOptions
from palimpsest.models.resnet import resnet18, small_resnet

STEM = "classifier"


class Classifier(nn.Module):
    """A learner that says which class a picture shows, what it sees in it, and which class what was seen belongs to.

    Its heads: "logits" and "features" of pictures, and "judged", the logits of features (B, D). With a cosine head also
    "cosines" of pictures, which its logits are a multiple of, and "judged_cosines" of features.

    network: pictures float (B, C, H, W) in [-1, 1] to logits (B, classes), one row for each class from the start.
    known: which classes have arrived, where the head grows; None where all are known from the start.
    options: what the network was built from.  shape: (C, H, W) of its pictures.  classes: names of all the stream's.
    passes: how many pictures have gone through the network.
    """

    head = "logits"
    heads = ("logits", "features", "judged")
    predicts = "softmax"

    def __init__(
        self, network: nn.Module, options: ClassifierOptions, shape: tuple[int, int, int], classes: Sequence[str]
    ) -> None:
        super().__init__()
        self.network, self.options = network.to(memory_format=torch.channels_last), options
        self.shape, self.classes = tuple(shape), tuple(classes)
        self.known = Known(network.head, len(classes)) if options.head == "growing" else None
        if isinstance(network.head, CosineHead):
            self.heads = (*self.heads, "cosines", "judged_cosines")
        self.passes = 0

    def forward(self, questions: Mapping[str, Images]) -> dict[str, Tensor]:
        """The answers by head, each float32 (B, ...). What two heads are asked about goes through the network once."""
        seen: dict[int, Tensor] = {}

        def features(x: Tensor) -> Tensor:
            if id(x) not in seen:
                seen[id(x)] = self.features(x)
            return seen[id(x)]

        answers = {
            "features": features,
            "logits": lambda x: self.judge(features(x)),
            "cosines": lambda x: self.network.head.cosines(features(x)).float(),
            "judged": self.judge,
            "judged_cosines": lambda x: self.network.head.cosines(x).float(),
        }
        return {head: answers[head](question.x) for head, question in questions.items()}

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.network.head.in_features

    @property
    def below_the_head(self) -> tuple[str, ...]:
        """Patterns of the names of all parameters but the last layer's."""
        parts = self.network.named_children()
        return tuple(
            f"network.{name}.*" for name, part in parts if name != "head" and any(True for _ in part.parameters())
        )

    def logits(self, x: Tensor) -> Tensor:
        """Logits float32 (B, classes) of pictures (B, C, H, W) in [-1, 1]; B may be 0."""
        return self.judge(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """What is seen in pictures (B, C, H, W) in [-1, 1], float32 (B, D); B may be 0."""
        self.passes += len(x)
        return self.network.features(x).float()

    def judge(self, features: Tensor) -> Tensor:
        """Logits float32 (B, classes) of features (B, D). It is no pass, for it is one layer."""
        logits = self.network.classify(features).float()
        return logits if self.known is None else self.known(logits)

    def meet(self, classes: Sequence[int]) -> None:
        """Classes arrive. Nothing happens where they have arrived already, or all are known from the start."""
        if self.known is not None:
            self.known.meet(self.network.head, classes)

    @property
    def arrived(self) -> tuple[int, ...]:
        """The classes that have arrived, where the head grows; () where all are known from the start."""
        return () if self.known is None else self.known.classes

    def pose(self, head: str, drawn: Images | Noised, random: Random) -> Images:
        """What was drawn as a question to `head`: the view that is meant for it."""
        if head not in self.heads:
            raise RequestError(
                f'a classifier was asked for its head "{head}", and it has {", ".join(self.heads)}; '
                "give the term a target that asks for classes: label, past.classifier.soft()."
            )
        return drawn.seen_by("logits" if head in ("features", "cosines") else head)


def only(logits: Tensor, classes: Sequence[int]) -> Tensor:
    """Logits (B, all classes) with no probability outside `classes`."""
    return logits.masked_fill(outside(logits.shape[-1], tuple(classes), logits.device), -torch.inf)


@lru_cache(maxsize=8)  # copying it to a device waits for it
def outside(count: int, classes: tuple[int, ...], device: torch.device) -> Tensor:
    """Of each of `count` classes whether it is none of `classes`, bool (count,)."""
    return torch.tensor([number not in classes for number in range(count)], device=device)


def build_classifier(
    options: ClassifierOptions, shape: tuple[int, int, int], classes: Sequence[str], seed: int, cosine: bool = False
) -> Classifier:
    """An untrained classifier of pictures of `shape` (C, H, W) into `classes`, with initial weights from `seed`.

    cosine: with a cosine head, over features that may be negative.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "classifier", "initial weights"))
        network = build_network(options, shape, len(classes), cosine)
        if cosine:
            network.head = CosineHead(network.head.in_features, len(classes))
        return Classifier(network, options, shape, classes)


def build_network(options: ClassifierOptions, shape: tuple[int, int, int], classes: int, signed: bool) -> nn.Module:
    """The network by its name: with `features`, `classify` and a `head`."""
    if options.network == "cnn":
        return CNN(shape, classes, options.dropout, signed)
    if options.network == "resnet18":
        return resnet18(classes, shape[0], signed)
    return small_resnet(int(options.network.removeprefix("resnet")), classes, shape[0], signed)


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Write classifier.safetensors, and classifier.json with what it takes to build the network again."""
    made = {"options": classifier.options.model_dump(), "shape": classifier.shape, "class_names": classifier.classes}
    made |= {"cosine": "cosines" in classifier.heads}
    save_file(
        {name: value.contiguous() for name, value in classifier.state_dict().items()}, folder / f"{STEM}.safetensors"
    )
    (folder / f"{STEM}.json").write_text(json.dumps(made, indent=2), encoding="utf-8")


def open_classifier(folder: Path) -> Classifier | None:
    """The classifier that `save_classifier` wrote into a folder, in evaluation mode; None where there is none."""
    record = folder / f"{STEM}.json"
    if not record.exists():
        return None
    try:
        made = json.loads(record.read_text(encoding="utf-8"))
        options = ClassifierOptions(**made["options"])
        shape, cosine = tuple(made["shape"]), made.get("cosine", False)
        classifier = build_classifier(options, shape, made["class_names"], 0, cosine)
        classifier.load_state_dict(load_file(folder / f"{STEM}.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise RequestError(f"the classifier in {folder} cannot be opened: {str(error).splitlines()[0]}") from error
    return classifier.eval().requires_grad_(False)
