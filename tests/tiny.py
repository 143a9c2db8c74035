"""The smallest runs that are still real: the embedded digits, a U-Net of some thousand parameters, a few steps."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from palimpsest import cli
from palimpsest.core.errors import Interrupted
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.options import DiffusionOptions
from palimpsest.diffusion.process import make_process
from palimpsest.models.options import UNetOptions
from palimpsest.models.unet import build_unet
from palimpsest.runs.display import Display
from palimpsest.runs.recorder import Recorder
from palimpsest.strategies import catalog

SHAPE = (1, 8, 8)
DENOISER = {"block_out_channels": [8, 8], "norm_num_groups": 4}
QUIET = Display(quiet=True)


def tiny(**sections: dict) -> dict:
    """The tables of a tiny experiment: two tasks of two classes, nothing measured. Sections are merged in."""
    tables = {
        "name": "tiny",
        "strategy": {
            "name": "generative_distillation",
            "ewc": {"fisher_samples": 20},
            "rank1_ewc": {"fisher_samples": 20},
        },
        "stream": {"name": "digits", "tasks": [[0, 1], [2, 3]]},
        "denoiser": DENOISER,
        "diffusion": {"steps": 100},
        "training": {"steps": 4, "batch": 8, "learning_rate": 1e-3},
        "evaluation": {"samples": 0, "gap": 0, "steps": 2, "sheet": 4},
        "engine": {"device": "cpu", "threads": 1, "log_every": 2},
    }
    return {
        name: {**tables.get(name, {}), **sections.get(name, {})} if isinstance(tables.get(name), dict) else table
        for name, table in {**sections, **tables}.items()
    }


def tiny_denoiser(seed: int = 0, **options: object) -> Denoiser:
    """A denoiser of 8×8 gray pictures with random weights that are not those of a fresh network (whose output is 0)."""
    options = DiffusionOptions(steps=100, **options)
    network = build_unet(UNetOptions(**DENOISER), SHAPE, seed)
    return Denoiser(network, make_process(options), SHAPE, predicts=options.predicts, clip_range=options.clamp)


def conditional_denoiser(classes: int = 4, null: bool = False) -> Denoiser:
    """A frozen denoiser of 8×8 gray pictures that is told of classes, and may go without where `null` says so."""
    network = build_unet(UNetOptions(**DENOISER), SHAPE, 0, classes + null)
    process = make_process(DiffusionOptions(steps=100))
    denoiser = Denoiser(network, process, SHAPE, told_of=range(classes), null=classes if null else None)
    return denoiser.eval().requires_grad_(False)


def weights(model: Path) -> str:
    """A digest of the weights in a model folder, byte for byte."""
    return hashlib.sha256((model / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()


def denoiser_strategies() -> list[str]:
    """All strategies that can train a denoiser."""
    return [name for name in catalog.names() if catalog.look_up(name).learners in ("any", ("denoiser",))]


@contextmanager
def interrupted_after(times: int, what: str = "after_step") -> Iterator[None]:
    """Whatever trains inside is stopped after so many steps, or batches of dreams, as if somebody had pressed Ctrl-C then."""
    original, done = getattr(Recorder, what), []

    def counted(recorder: Recorder, *arguments: object) -> None:
        done.append(1)
        recorder.stop.noted = len(done) == times
        original(recorder, *arguments)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(Recorder, what, counted)
        yield


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Whether two networks have the same weights, bit for bit."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def called(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the program with these arguments."""
    monkeypatch.setattr(sys, "argv", ["palimpsest", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
        sys.exit(0)
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err
