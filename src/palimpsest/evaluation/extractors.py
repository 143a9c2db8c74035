"""Whose features the measures are made of: the stream's own evaluator, Inception-v3, or a network of the user's."""

import hashlib
import inspect
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.references import FORMS, is_reference, load
from palimpsest.evaluation import evaluator as evaluators
from palimpsest.evaluation.evaluator import Evaluator
from palimpsest.evaluation.inception import load_inception

BATCH = 100  # fixed, because a network's bits depend on its batch size; Inception-v3 sees pictures of 299×299
NAMES = ("evaluator", "inception", "package.module:attribute", "path/to/file.py:attribute")


@dataclass(frozen=True)
class Extractor:
    """A network that turns pictures into the features that FID, KID, precision and the like compare.

    module: pictures float (B, C, H, W) in [-1, 1] → float (B, D).  name and sha256 (of weights, and of code where there
    is some) stand in results.json.  accuracy: the evaluator's on test pictures; None for other networks.
    """

    module: nn.Module
    name: str
    sha256: str
    batch: int = BATCH
    accuracy: float | None = None

    @property
    def record(self) -> dict[str, str | float]:
        """What results.json says of the extractor."""
        known = {} if self.accuracy is None else {"accuracy": self.accuracy}
        return {"name": self.name, "sha256": self.sha256} | known

    def on(self, device: torch.device | str) -> "Extractor":
        """This extractor with its network on `device`."""
        return replace(self, module=self.module.to(device))

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """Features float32 (N, D), on the CPU, of pictures (N, C, H, W) in [-1, 1].

        Raises RequestError where the network gives anything but floats (N, D).
        """
        self.module.eval()
        device = next(self.module.parameters(), torch.empty(0)).device
        return torch.cat([self.checked(part.to(device, torch.float32)).float().cpu() for part in x.split(self.batch)])

    def checked(self, x: Tensor) -> Tensor:
        """What the network says about one batch (B, C, H, W), if it is float (B, D)."""
        found = self.module(x)
        if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(x) or not found.is_floating_point():
            what = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise RequestError(
                f"the extractor {self.name} was given pictures {tuple(x.shape)} and returned {what}; "
                f"let it return one tensor of floats ({len(x)}, features)."
            )
        return found


class EvaluatorFeatures(nn.Module):
    """An evaluator's network up to its features."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.features(x)


def load_extractor(
    name: str | nn.Module,
    evaluator: Evaluator,
    weights: str = "",
    device: torch.device | str = "cpu",
    shape: tuple[int, int, int] | None = None,
) -> Extractor:
    """The extractor that `evaluation.extractor` names, or that was passed in from Python as a network.

    name: "evaluator" (works offline), "inception" (needs the extra [fid]), or "package.module:attribute" or
    "path/to/file.py:attribute", which is a network or a function or class that makes one when called without arguments.
    weights: a file for inception.  device: where inception and other networks go; the evaluator stays where it is.  shape: of the pictures (C, H, W)
    that it will see; with it, a user's network is tried at once.  Raises RequestError for what cannot be loaded.
    """
    if weights and name != "inception":
        raise RequestError(
            f'evaluation.extractor_weights = "{weights}" is for inception, but evaluation.extractor is {name!r}; '
            'set evaluation.extractor = "inception" or leave the weights out.'
        )
    if name == "evaluator":
        module = EvaluatorFeatures(evaluator.module)
        return Extractor(module, evaluator.name, evaluator.sha256, evaluators.BATCH, evaluator.accuracy)
    if name == "inception":
        module, sha256 = load_inception(weights)
        return Extractor(module, "inception-v3", sha256 or fingerprint(module)).on(device)
    module = import_network(name) if isinstance(name, str) else name
    title = name if isinstance(name, str) else type(name).__name__
    return tried(Extractor(module, title, fingerprint(module)).on(device), shape)


def tried(extractor: Extractor, shape: tuple[int, int, int] | None) -> Extractor:
    """The extractor, if it can say something about two black pictures of this shape."""
    try:
        if shape:
            extractor.features(torch.full((2, *shape), -1.0))
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(
            f"the extractor {extractor.name} failed on pictures {(2, *shape)} ({type(error).__name__}: {error}); "
            "let it take floats (N, C, H, W) in [-1, 1] of the stream's shape."
        ) from error
    return extractor


def import_network(name: str) -> nn.Module:
    """The network that a reference names, made where the attribute is a function or class that makes one."""
    if not is_reference(name):
        raise unknown("extractor", name, NAMES)
    found = load(name, "extractor")
    try:
        found = found() if callable(found) and not isinstance(found, nn.Module) else found
    except Exception as error:  # a user's function can raise anything
        raise RequestError(
            f'the extractor "{name}" cannot be made ({type(error).__name__}: {error}); give {FORMS}.'
        ) from error
    if not isinstance(found, nn.Module):
        raise RequestError(
            f'the extractor "{name}" is a {type(found).__name__}; let it be a torch.nn.Module, or a function without '
            "arguments that returns one."
        )
    return found


def fingerprint(module: nn.Module) -> str:
    """sha256 over a network: its class's source where there is a file, its structure, its parameters and buffers."""
    try:
        source = inspect.getsource(type(module))
    except (OSError, TypeError):  # typed at a prompt
        source = ""
    kind = type(module)
    found = hashlib.sha256(repr((kind.__module__, kind.__qualname__, source, repr(module))).encode())
    for name, value in sorted(module.state_dict().items()):
        if isinstance(value, Tensor):
            value = value.detach().cpu().contiguous()
            found.update(repr((name, value.dtype, tuple(value.shape))).encode())
            found.update(value.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()
