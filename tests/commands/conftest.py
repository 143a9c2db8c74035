"""The program, called as a user calls it, and a tiny experiment for it."""

import sys
from pathlib import Path

import pytest

from palimpsest import cli
from palimpsest.runs.config import resolve, to_toml
from tests.tiny import tiny


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Calls the program in an empty folder; answers with exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["palimpsest", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
            sys.exit(0)
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def experiment(tmp_path) -> Path:
    """A tiny experiment as a file."""
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(resolve(tiny())))
    return path
