"""The models that the tests draw with, and how they look at a folder."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.synthesis.tiny_model import reds, save_tiny, tiny_pipeline

PROMPTS = "class_id,name,definition\n0,cat,a pet\n1,dog,barks\n2,big eel,\n"


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """A tiny Stable Diffusion whose checker flags nothing."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def most() -> float:
    """The mean red that about a third of the tiny model's pictures pass."""
    return reds(tiny_pipeline(), 30, steps=2)[20]


@pytest.fixture(scope="session")
def strict_model(tmp_path_factory, most) -> Path:
    """The same with a checker that flags those."""
    return save_tiny(tmp_path_factory.mktemp("models") / "strict", most=most)


@pytest.fixture
def prompts(tmp_path) -> Path:
    """A prompt file of three classes."""
    path = tmp_path / "prompts.csv"
    path.write_text(PROMPTS)
    return path


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones too, by path."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def kill_while_drawing(asked: list[str], out: Path, until: str, program: str = "palimpsest", **how: object) -> None:
    """`palimpsest synthesize` in a process of its own, killed by -9 as soon as a picture is there."""
    options = [word for name, value in how.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", program, "synthesize", *asked, "--out", str(out), "--device", "cpu", *options]
    drawing = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    while not (out / until).exists():
        assert drawing.poll() is None, "it ended before it was killed"
        time.sleep(0.001)
    drawing.kill()
    drawing.wait()
