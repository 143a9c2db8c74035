"""Outcome: a model that somebody else trained learns new digits and keeps half of its old ones' share."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from sklearn.datasets import load_digits

import palimpsest
from palimpsest.evaluation.evaluator_cache import load_evaluator
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from tests.runs.test_update import write_digits
from tests.tiny import QUIET

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A DDPM of the digits 0 to 4, trained with nothing but diffusers and torch, as its own examples do."""
    torch.manual_seed(0)
    data = load_digits()
    pictures = torch.tensor(data.images[data.target < 5], dtype=torch.float32)[:, None] / 8 - 1
    network = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
    )
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(800):
        clean = pictures[torch.randint(len(pictures), (64,))]
        noise, t = torch.randn_like(clean), torch.randint(0, 1000, (64,))
        loss = torch.nn.functional.mse_loss(network(scheduler.add_noise(clean, noise, t), t).sample, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("stock") / "model"
    DDPMPipeline(unet=network, scheduler=scheduler).save_pretrained(folder)
    return folder


def share_of_old(folder: Path) -> float:
    """The share of the samples that the evaluator takes for digits 0 to 4."""
    evaluator = load_evaluator(open_stream(StreamOptions(), 0, "cpu"))
    labels = evaluator.labels(palimpsest.sample(folder, count=400, steps=25))
    return np.mean(labels.numpy() < 5)


def test_old_classes_keep_half_of_their_due_share_where_finetuning_loses_it(model, tmp_path):
    """k = 2, so half of the samples are due to the old classes, and half of that is a quarter."""
    pictures = write_digits(tmp_path / "new_digits", range(5, 10), by_class=True)
    quick = {"training.steps": 300, "training.learning_rate": 1e-3}
    shares, kept, learnt = {"before": share_of_old(model)}, {}, {}
    for strategy in ("generative_distillation", "finetune"):
        out = tmp_path / strategy
        run = palimpsest.update(model, data=pictures, out=out, strategy=strategy, set=quick, display=QUIET)
        shares[strategy], kept[strategy] = share_of_old(out), run.results["final"]
        learnt[strategy] = run.results["tasks"][0]["kept"]["learnt"]
    print(shares, kept, learnt)
    assert shares["before"] > 0.9
    assert shares["generative_distillation"] >= 0.25
    assert shares["finetune"] < 0.25
    for name in ("coverage_old", "density_old"):  # which know no label
        assert kept["generative_distillation"][name] > 1.5 * kept["finetune"][name]
    assert all(found["before"] < found["coverage"] < found["expected"] for found in learnt.values())
