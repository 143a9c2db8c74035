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
from palimpsest.models.expanding import Expanding
from palimpsest.models.heads import CosineHead, Known
from palimpsest.models.options import ClassifierOptions
from palimpsest.models.resnet import resnet18, small_resnet
from palimpsest.models.stages import profiles

STEM = "classifier"
SAME_VIEW = ("features", "cosines", "stages", "own")  # heads that are asked about what the logits are asked about


class Classifier(nn.Module):
    """A learner that says which class a picture shows, what it sees in it, and which class what was seen belongs to.

    Its heads: "logits" and "features" of pictures, and "judged", the logits of features (B, D). With a cosine head also
    "cosines" of pictures, which its logits are a multiple of, and "judged_cosines" of features. A network of one backbone has
    "stages", see `stages.profiles`; one of several has "own", the logits (B, classes + 1) of what the newest sees.

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
        self.heads = (*self.heads, "own" if isinstance(network, Expanding) else "stages")
        self.passes = 0

    def forward(self, questions: Mapping[str, Images]) -> dict[str, Tensor]:
        """The answers by head, each float32 (B, ...). What two heads are asked about goes through the network once."""
        seen: dict[int, tuple[Tensor, Tensor | None]] = {}

        def look(x: Tensor) -> tuple[Tensor, Tensor | None]:
            if id(x) not in seen:
                seen[id(x)] = self.look(x) if "stages" in questions else (self.features(x), None)
            return seen[id(x)]

        def features(x: Tensor) -> Tensor:
            return look(x)[0]

        answers = {
            "features": features,
            "stages": lambda x: look(x)[1],
            "own": lambda x: self.own(features(x)),
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
        self.passes += len(x) * getattr(self.network, "forwards", 1)
        return self.network.features(x).float()

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The features, and where each stage saw something, float32 (B, stages, L): see `stages.profiles`."""
        self.passes += len(x)
        features, stages = self.network.look(x)
        return features.float(), profiles(stages)

    def judge(self, features: Tensor) -> Tensor:
        """Logits float32 (B, classes) of features (B, D). It is no pass, for it is one layer."""
        logits = self.network.classify(features).float()
        return logits if self.known is None else self.known(logits)

    def own(self, features: Tensor) -> Tensor:
        """Logits float32 (B, classes + 1) of what the newest backbone alone sees, of features (B, D)."""
        logits = self.network.head.own(features).float()
        return torch.cat([self.known(logits[:, :-1]), logits[:, -1:]], dim=1)

    def meet(self, classes: Sequence[int], expand: bool = True) -> None:
        """Classes arrive. Nothing happens where they have arrived already, or all are known from the start.

        expand: a network that grows has one more backbone for them, unless they are the first.
        """
        before = self.arrived
        if self.known is not None and self.known.meet(self.network.head, classes) and before and expand:
            if isinstance(self.network, Expanding):
                self.network.expand()

    @property
    def older(self) -> tuple[str, ...]:
        """Patterns of the names of the parameters of all backbones but the newest."""
        return tuple(f"network.{pattern}" for pattern in getattr(self.network, "older", ()))

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
        return drawn.seen_by("logits" if head in SAME_VIEW else head)


def see_alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two classifiers of one form have the same features of every picture, whatever their last layers."""
    pairs = zip(one.state_dict().items(), other.state_dict().values(), strict=True)
    below = ((a, b) for (name, a), b in pairs if not name.startswith(("network.head.", "known.")))
    return all(torch.equal(a, b) for a, b in below)


def only(logits: Tensor, classes: Sequence[int]) -> Tensor:
    """Logits (B, all classes) with no probability outside `classes`."""
    return logits.masked_fill(outside(logits.shape[-1], tuple(classes), logits.device), -torch.inf)


@lru_cache(maxsize=8)  # copying it to a device waits for it
def outside(count: int, classes: tuple[int, ...], device: torch.device) -> Tensor:
    """Of each of `count` classes whether it is none of `classes`, bool (count,)."""
    return torch.tensor([number not in classes for number in range(count)], device=device)


def build_classifier(
    options: ClassifierOptions,
    shape: tuple[int, int, int],
    classes: Sequence[str],
    seed: int,
    cosine: bool = False,
    proxies: int = 1,
    rooms: int = 0,
) -> Classifier:
    """An untrained classifier of pictures of `shape` (C, H, W) into `classes`, with initial weights from `seed`.

    cosine: with a cosine head, over features that may be negative, and so many `proxies` of each class.
    rooms: of a network that grows, the most backbones that it may have; 0: it does not grow.
    """

    def build() -> nn.Module:
        return build_network(options, shape, len(classes), cosine)

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "classifier", "initial weights"))
        network = Expanding(build, len(classes), rooms) if rooms else build()
        if cosine:
            network.head = CosineHead(network.head.in_features, len(classes), proxies)
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
    network, state = classifier.network, classifier.state_dict()
    if isinstance(network.head, CosineHead):
        made |= {"cosine": True, "proxies": network.head.proxies}
    if isinstance(network, Expanding):  # as many backbones as there are
        made |= {"rooms": network.count}
        state = {name: value for name, value in state.items() if not network.is_idle(name.removeprefix("network."))}
    save_file({name: value.contiguous() for name, value in state.items()}, folder / f"{STEM}.safetensors")
    (folder / f"{STEM}.json").write_text(json.dumps(made, indent=2), encoding="utf-8")


def open_classifier(folder: Path) -> Classifier | None:
    """The classifier that `save_classifier` wrote into a folder, in evaluation mode; None where there is none."""
    record = folder / f"{STEM}.json"
    if not record.exists():
        return None
    try:
        made = json.loads(record.read_text(encoding="utf-8"))
        options = ClassifierOptions(**made["options"])
        form = {name: made[name] for name in ("cosine", "proxies", "rooms") if name in made}
        classifier = build_classifier(options, tuple(made["shape"]), made["class_names"], 0, **form)
        classifier.load_state_dict(load_file(folder / f"{STEM}.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise RequestError(f"the classifier in {folder} cannot be opened: {str(error).splitlines()[0]}") from error
    return classifier.eval().requires_grad_(False)
