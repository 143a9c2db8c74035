"""Inception-v3 as torch-fidelity has it: the features of the FID that papers print."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from palimpsest.core.errors import RequestError

FILE = "weights-inception-2015-12-05-6726825d.pth"  # as torch-fidelity's release v0.2.0 calls it


class Inception(nn.Module):
    """Pictures float (N, 1 or 3, H, W) in [-1, 1] → features float32 (N, 2048) of its last pooling.

    torch-fidelity's network takes bytes and enlarges them to 299×299 itself. Pixels are rounded to bytes, so that real
    pictures are what they were in their files; torchmetrics, in the published code, cuts the fraction off. Gray is
    copied to three channels.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        pixels = pixels.expand(-1, 3, -1, -1) if pixels.shape[1] == 1 else pixels
        return self.network(pixels)[0]


def load_inception(weights: str = "") -> tuple[Inception, str]:
    """torch-fidelity's Inception-v3, and the sha256 of the weights file ("" where torch-fidelity found its own).

    weights: a file of torch-fidelity's form; "" stands for the one in torch's hub folder, which it downloads.
    Raises RequestError where the extra [fid] is not installed or the weights cannot be had.
    """
    file = Path(weights).expanduser()
    if weights and not file.is_file():
        raise RequestError(f"evaluation.extractor_weights names {file}, which is no file; {where_to_get()}.")
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise RequestError(
            f"the extractor inception needs torch-fidelity, which cannot be imported ({error}); "
            f"pip install 'palimpsest[fid]', and without a network {where_to_get()}."
        ) from error
    try:
        network = FeatureExtractorInceptionV3(
            "inception-v3", ["2048"], feature_extractor_weights_path=str(file) if weights else None
        )
    except Exception as error:  # no network, no such page, no pickle, another network's weights
        raise RequestError(
            f"the weights of the extractor inception cannot be had from {weights or 'the network'} "
            f"({type(error).__name__}: {error}); {where_to_get()}."
        ) from error
    return Inception(network), hashlib.sha256(file.read_bytes()).hexdigest() if weights else ""


def where_to_get() -> str:
    """The half sentence about the weights file."""
    place = Path(torch.hub.get_dir()) / "checkpoints"
    return (
        f"put {FILE} (from torch-fidelity's release v0.2.0) into {place}, or name the file with "
        "--set evaluation.extractor_weights=FILE"
    )
