"""The arrows: which folder may import which, read from the files' imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "palimpsest"
LAYERS = {
    "core": (),
    "streams": ("core",),
    "diffusion": ("core",),
    "models": ("core", "diffusion"),
    "sources": ("core", "diffusion", "models", "streams"),
    "targets": ("core", "diffusion", "models"),
    "strategies": ("core", "sources", "targets"),
    "learning": ("core", "streams", "diffusion", "models", "sources", "targets", "strategies"),
    "evaluation": ("core", "streams", "diffusion", "models"),
    "reports": ("core", "evaluation"),
    "synthesis": ("core", "streams", "diffusion", "models", "learning", "evaluation"),
    "measuring": ("core", "streams", "diffusion", "models", "learning", "evaluation"),
    "runs": tuple(
        "core streams diffusion models sources targets strategies learning evaluation measuring synthesis".split()
    ),
    "studies": ("core", "strategies", "runs"),
    "commands": ("core", "strategies", "reports", "runs", "studies", "synthesis"),
}
FILES = sorted(path for folder in LAYERS for path in (ROOT / folder).glob("*.py"))


def imported(path: Path) -> set[str]:
    """The folders of the package that a file imports from, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = [name.split(".") for name in names if name.startswith("palimpsest.")]
    return {part[1] for part in parts} & set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_folder_imports_only_what_lies_below_it(path):
    folder = path.parent.name
    wrong = imported(path) - {folder, *LAYERS[folder]}
    assert not wrong, (
        f"{folder}/{path.name} imports {', '.join(wrong)}: {folder} may import {', '.join(LAYERS[folder])}"
    )


def test_every_folder_of_code_has_its_place():
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert there == set(LAYERS)


@pytest.mark.parametrize(
    "module",
    [
        "palimpsest.reports.page",
        "palimpsest.reports.conclusion",
        "palimpsest.runs.listing",
        "palimpsest.studies.study",
        "palimpsest.commands.application",
    ],
)
def test_what_must_answer_at_once_does_not_import_torch(module):
    import subprocess
    import sys

    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_no_file_has_grown_out_of_hand():
    """A place to look, not a law of nature: split what passes 250 lines."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")}
    assert not {str(path): count for path, count in lines.items() if count > 250}


@pytest.mark.parametrize("path", sorted((ROOT.parents[1] / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_every_benchmark_imports_what_is_there(path, monkeypatch):
    import runpy

    monkeypatch.syspath_prepend(path.parent)  # as when it is run
    made = runpy.run_path(str(path), run_name="imported")
    assert path.stem == "stage" or callable(made["main"])
