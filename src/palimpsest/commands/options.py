"""Arguments and options that several commands share, and how they reach the functions behind them."""

from pathlib import Path
from typing import Annotated

import typer

Experiment = Annotated[str, typer.Argument(help="A name from `palimpsest list experiments`, or a TOML file.")]
Strategy = Annotated[
    str | None, typer.Option(help="A name from `palimpsest list strategies`, or file.py:function of your own.")
]
Seed = Annotated[int | None, typer.Option(help="Of everything that is drawn.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")]
Precision = Annotated[str | None, typer.Option(help="fp32, or bf16 (automatic mixed precision).")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key of the experiment.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Model = Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="A run directory, or a diffusers pipeline folder.")]


def without_logs(runs: list[Path]) -> list[Path]:
    """What a pattern such as runs/* gave, without the logs and pages that a study leaves beside its runs."""
    return [run for run in runs if not (run.is_file() and run.suffix in (".log", ".html"))] or runs


Runs = Annotated[list[Path], typer.Argument(help="Run directories.", callback=without_logs)]


def arguments(given: dict[str, object]) -> dict[str, object]:
    """What a command was given, as the function behind it takes it: without what was left out, the settings read."""
    from palimpsest.runs.tables import parse_setting

    given = given | given.pop("options", {})
    given["set"] = dict(parse_setting(text) for text in given["set"] or [])
    return {name: value for name, value in given.items() if value is not None}
