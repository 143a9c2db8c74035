"""What CLIP sees in pictures: how much synthetic ones are like real ones to a network that was taught by neither."""

from collections.abc import Sequence
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.nn import functional

from palimpsest.core.errors import RequestError
from palimpsest.core.libraries import quietly, shortened
from palimpsest.evaluation.described import Described
from palimpsest.evaluation.extractors import Extractor, fingerprint


class ClipFeatures(nn.Module):
    """Pictures float (B, 1 or 3, H, W) in [-1, 1] → directions (B, D) of length 1, the image embeddings of CLIP (arXiv 2103.00020).

    network: transformers' CLIPModel, of which the image side is kept. Pictures are brought to the size that it takes by antialiased
    bicubic resizing, and gray ones copied to three channels.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

        self.network, self.projection = network.vision_model, network.visual_projection
        self.side = network.config.vision_config.image_size
        self.register_buffer("mean", torch.tensor(OPENAI_CLIP_MEAN).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(OPENAI_CLIP_STD).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.interpolate(x, (self.side, self.side), mode="bicubic", antialias=True).clamp(-1, 1)
        x = ((x + 1) / 2).expand(-1, 3, -1, -1)
        seen = self.network(pixel_values=(x - self.mean) / self.deviation).pooler_output
        return functional.normalize(self.projection(seen), dim=1)


def load_clip(model: str, device: torch.device | str = "cpu") -> Extractor:
    """CLIP's image side from a folder, or from the hub by its name.

    Raises RequestError where the extra [text-to-image] is not installed, or there is no such model.
    """
    if find_spec("transformers") is None:
        raise RequestError(
            "evaluation.clip needs the package `transformers`, and it is not installed; pip install 'palimpsest[text-to-image]'."
        )
    from transformers import CLIPModel

    try:
        with quietly():
            network, found = CLIPModel.from_pretrained(model, use_safetensors=True, output_loading_info=True)
        if missing := sorted(found["missing_keys"]):
            raise ValueError(f"it lacks {len(missing)} weights, such as {missing[0]}")
    except Exception as error:  # no network, no such page, another network's weights: each raises its own
        raise RequestError(
            f'evaluation.clip = "{model}" cannot be opened ({shortened(error)}); give the folder of a CLIP model of '
            "transformers, which `hf download openai/clip-vit-base-patch32 --local-dir FOLDER` fetches, or its name on the hub."
        ) from error
    module = ClipFeatures(network.eval())
    return Extractor(module, "clip", fingerprint(module)).on(device)


def clip_similarity(made: Described, real: Described, classes: Sequence[int]) -> dict[str, float]:
    """Mean cosine, in [-1, 1], between a synthetic and a real picture of the same class, and between two real ones of a class.

    Every class counts alike. Classes with no synthetic picture or fewer than two real ones are left out; {} where none is left.
    made, real: directions of length 1, with the labels that they carry.
    """
    across, within = [], []
    for number in classes:
        ours, theirs = (each.of_classes([number]).features.double() for each in (made, real))
        if len(ours) and len(theirs) > 1:
            total, count = theirs.sum(0), len(theirs)
            across.append(ours.mean(0) @ total / count)
            within.append((total @ total - count) / (count * (count - 1)))  # without each picture's cosine with itself
    if not across:
        return {}
    return {"clip": float(torch.stack(across).mean()), "clip_real": float(torch.stack(within).mean())}
