"""The smallest text-to-image pipeline that is still Stable Diffusion: random weights, pictures of 16×16 unless asked otherwise."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ConfigMixin,
    ModelMixin,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.configuration_utils import register_to_config
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

BLOCKS = {
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "layers_per_block": 1,
}
LENGTH = 20  # tokens of a prompt, the beginning and the end among them


class Checker(ModelMixin, ConfigMixin):
    """A safety checker with a rule that tests can follow: pictures are flagged whose mean red is above `most`, of 255.

    Flagged pictures become black, as those of the real one.
    """

    @register_to_config
    def __init__(self, most: float = 256.0) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor, clip_input: Tensor) -> tuple[Tensor, list[bool]]:
        flagged = (images[:, 0].mean((1, 2)) * 127.5 + 127.5 > self.config.most).tolist()
        return torch.stack(
            [image * 0 - 1 if bad else image for image, bad in zip(images, flagged, strict=True)]
        ), flagged


def tokenizer() -> CLIPTokenizer:
    """One token a letter."""
    letters = [chr(number) for number in range(33, 127)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer({word: number for number, word in enumerate(words)}, [], model_max_length=LENGTH)


def tiny_pipeline(most: float = 256.0, checker: bool = True, size: int = 16) -> StableDiffusionPipeline:
    """most: the mean red above which pictures are flagged.  size: pixels a side, an even number."""
    torch.manual_seed(0)
    words = tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        projection_dim=16,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=[8, 8], norm_num_groups=4, latent_channels=4, **BLOCKS),
        text_encoder=CLIPTextModel(text).eval(),
        tokenizer=words,
        unet=UNet2DConditionModel(
            sample_size=size // 2,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            cross_attention_dim=16,
            attention_head_dim=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        ).eval(),
        scheduler=PNDMScheduler(skip_prk_steps=True, beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=Checker(most) if checker else None,
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16),
        requires_safety_checker=checker,
    )


def reds(pipeline: StableDiffusionPipeline, count: int, steps: int) -> list[float]:
    """The mean red, of 255, of pictures that it draws."""
    pipeline.set_progress_bar_config(disable=True)
    seeds = [torch.Generator().manual_seed(seed) for seed in range(count)]
    pictures = pipeline(["cat"] * count, num_inference_steps=steps, generator=seeds, output_type="np").images
    return sorted(float(red) * 255 for red in pictures[..., 0].mean((1, 2)))


def save_tiny(folder: Path, **options: object) -> Path:
    """The folder, with the pipeline in it."""
    tiny_pipeline(**options).save_pretrained(folder, safe_serialization=True)
    return folder
