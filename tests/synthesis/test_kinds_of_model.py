"""Other pipelines than Stable Diffusion 1: SDXL and its turbo form, a latent consistency model, and the safety checker that people have."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import (
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPTextConfig, CLIPTextModelWithProjection

import palimpsest
from palimpsest.core.errors import RequestError, RunError
from palimpsest.runs.synthesizing import estimated
from palimpsest.synthesis.display import SynthesisDisplay
from tests.synthesis.conftest import content
from tests.synthesis.tiny_model import tiny_pipeline

HOW = {"count": 3, "steps": 2, "batch": 2, "device": "cpu", "display": SynthesisDisplay(quiet=True)}
NETWORK = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}


def save_xl(folder: Path, turbo: bool = False) -> Path:
    """Two text encoders, whose states lie side by side, and the size of the picture among what the network is told."""
    small, told = tiny_pipeline(checker=False), 8
    torch.manual_seed(1)
    text = CLIPTextConfig(**{**small.text_encoder.config.to_dict(), "hidden_act": "gelu"})
    network = UNet2DConditionModel(
        **NETWORK,
        cross_attention_dim=32,
        addition_embed_type="text_time",
        addition_time_embed_dim=told,
        projection_class_embeddings_input_dim=16 + 6 * told,
    )
    euler = EulerAncestralDiscreteScheduler(timestep_spacing="trailing") if turbo else EulerDiscreteScheduler()
    StableDiffusionXLPipeline(
        vae=small.vae,
        text_encoder=small.text_encoder,
        text_encoder_2=CLIPTextModelWithProjection(text).eval(),
        tokenizer=small.tokenizer,
        tokenizer_2=small.tokenizer,
        unet=network.eval(),
        scheduler=euler,
        add_watermarker=False,
    ).save_pretrained(folder, safe_serialization=True)
    return folder


def save_lcm(folder: Path) -> Path:
    """The scale of guidance is among what the network is told, and the scheduler takes its own few steps."""
    made = tiny_pipeline(checker=False)
    network = UNet2DConditionModel(**NETWORK, cross_attention_dim=16, time_cond_proj_dim=8).eval()
    made.register_modules(unet=network, scheduler=LCMScheduler(beta_schedule="scaled_linear"))
    made.save_pretrained(folder, safe_serialization=True)
    return folder


def save_checked(folder: Path, least: float) -> Path:
    """With the checker that published models have, which flags pictures that are nearer to a concept than `least`, a cosine."""
    made = tiny_pipeline(checker=False)
    tiny = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    looking = CLIPConfig(vision_config=tiny | {"image_size": 16, "patch_size": 8}, text_config=tiny, projection_dim=8)
    checker = StableDiffusionSafetyChecker(looking).eval()
    checker.concept_embeds_weights.fill_(least)
    checker.special_care_embeds_weights.fill_(2.0)
    checker.concept_embeds.copy_(torch.randn(checker.concept_embeds.shape, generator=torch.Generator().manual_seed(0)))
    made.register_modules(safety_checker=checker)
    made.register_to_config(requires_safety_checker=True)
    made.save_pretrained(folder, safe_serialization=True)
    return folder


def test_an_xl_model_draws_and_its_second_tokenizer_is_asked_too(prompts, tmp_path):
    model = save_xl(tmp_path / "xl")
    manifest = palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "out", negative="blurry", guidance=5, **HOW)
    assert manifest["model"]["pipeline"] == "StableDiffusionXLPipeline" and manifest["safety_checker"] == "none"
    assert manifest["size"] == [16, 16] and sum(name.endswith(".png") for name in content(tmp_path / "out")) == 9
    second = model / "tokenizer_2" / "tokenizer_config.json"
    second.write_text(json.dumps(json.loads(second.read_text()) | {"model_max_length": 10}))
    with pytest.raises(RequestError, match="comes to .* tokens, and xl reads 10"):
        palimpsest.synthesize(model, prompts=prompts, out=tmp_path / "cut", **HOW)


def test_a_turbo_model_draws_in_one_step_without_guidance(prompts, tmp_path):
    model = save_xl(tmp_path / "turbo", turbo=True)
    how = {**HOW, "prompts": prompts, "steps": 1, "guidance": 0}
    manifest = palimpsest.synthesize(model, out=tmp_path / "out", **how)
    assert (manifest["steps"], manifest["guidance"]) == (1, 0)
    palimpsest.synthesize(model, out=tmp_path / "again", **how | {"count": 1})
    few, many = content(tmp_path / "again"), content(tmp_path / "out")
    assert few["cat/00000.png"] == many["cat/00000.png"] != many["cat/00001.png"]


def test_a_latent_consistency_model_is_told_how_much_it_is_guided(prompts, tmp_path):
    model, how = save_lcm(tmp_path / "lcm"), {**HOW, "prompts": prompts, "count": 1}
    drawn = {}
    for guidance in (1.5, 8):
        manifest = palimpsest.synthesize(model, out=tmp_path / str(guidance), guidance=guidance, **how)
        drawn[guidance] = content(tmp_path / str(guidance))["cat/00000.png"]
    assert manifest["scheduler"] == "LCMScheduler" and drawn[1.5] != drawn[8]
    with pytest.raises(RequestError, match="has a negative prompt, and lcm .StableDiffusionPipeline. takes none"):
        palimpsest.synthesize(model, out=tmp_path / "negative", guidance=8, negative="blurry", **how)
    cost = estimated(model, guidance=8, prompts=prompts, count=1, batch=1, steps=2, device="cpu")
    assert cost.passes == 3 * 2, "not twice over each picture"


def test_the_checker_that_people_have_lets_pass_and_flags(model, prompts, tmp_path):
    how = {**HOW, "prompts": prompts, "retries": 1}
    lenient = palimpsest.synthesize(save_checked(tmp_path / "lenient", 2.0), out=tmp_path / "all", **how)
    assert (lenient["safety_checker"], lenient["flagged"]) == ("on", 0)
    palimpsest.synthesize(model, out=tmp_path / "free", **how)
    free = content(tmp_path / "free")
    assert all(content(tmp_path / "all")[name] == free[name] for name in free if name.endswith(".png"))
    strict = save_checked(tmp_path / "strict", -2.0)
    with pytest.raises(RunError, match=r"flagged by the safety checker in 2 of 2 tries.*--no-safety-checker"):
        palimpsest.synthesize(strict, out=tmp_path / "none", **how)
    assert not [name for name in content(tmp_path / "none") if name.endswith(".png")]
    assert (
        palimpsest.synthesize(strict, out=tmp_path / "off", safety_checker=False, **how)["safety_checker"]
        == "off, as asked"
    )
