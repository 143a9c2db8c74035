"""The program, called as a user calls it, and a tiny experiment for it."""

from pathlib import Path

import pytest

from palimpsest.runs.config import resolve, to_toml
from tests.tiny import called, tiny


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Calls the program in an empty folder; answers with exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    return lambda *arguments: called(monkeypatch, capsys, *arguments)


@pytest.fixture
def experiment(tmp_path) -> Path:
    """A tiny experiment as a file."""
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(resolve(tiny())))
    return path
