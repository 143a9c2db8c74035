"""Ctrl-C and SIGTERM before a run is under way: one sentence, exit code 130, and the same command works afterwards."""

import os
import signal
import subprocess
import sys

import pytest

from palimpsest import cli

EARLY = f"palimpsest: {cli.EARLY}\n"

# A module that is interrupted while it is imported, and swallows what it can.
SWALLOWING = """
import os, signal
try:
    os.kill(os.getpid(), signal.{name})
except BaseException:
    pass
"""
PROGRAM = """
from palimpsest import cli
from palimpsest.commands import application

application.call = lambda arguments: __import__("swallowing")
cli.main()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_import_cannot_swallow_it(tmp_path, name):
    (tmp_path / "swallowing.py").write_text(SWALLOWING.format(name=name))
    path = os.pathsep.join([str(tmp_path), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", EARLY)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "moment", ["start.assemble", "start.make_yardstick", "folder.write_atomically", "start.open_tracker"]
)
def test_it_is_said_and_nothing_is_in_the_way(run, experiment, monkeypatch, moment, number):
    with monkeypatch.context() as patch:
        patch.setattr(f"palimpsest.runs.{moment}", lambda *arguments: os.kill(os.getpid(), number))
        assert run("train", experiment, "--out", "run") == (130, "", EARLY)
    again = ("resume", "run") if moment == "start.open_tracker" else ("train", experiment, "--out", "run")
    code, out, error = run(*again)
    assert code == 0 and "report   run/report.html" in out, error
