"""The commands that train, and the one that says what training would cost."""

from pathlib import Path
from typing import Annotated

import typer

from palimpsest.commands.options import Device, Experiment, Force, Precision, Seed, Settings, Strategy, arguments
from palimpsest.commands.output import defaults, delivered, in_all_runs, print_rich, show


def train(
    experiment: Experiment = "digits",
    *,
    strategy: Strategy = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="The run directory; default runs/EXPERIMENT/STRATEGY-seedN.")] = None,
    device: Device = None,
    precision: Precision = None,
    set: Settings = None,
    force: Force = False,
    **options: object,
) -> None:
    """Train an experiment, task after task. --strategy NAME --help shows that strategy's own options too."""
    asked = arguments(locals())
    from palimpsest.runs import start

    show(start.train(**asked))


def resume(run: Annotated[Path, typer.Argument(help="A run directory.")]) -> None:
    """Go on with a run exactly where it stopped; a finished run says so."""
    from palimpsest.runs import start

    went_on = start.resume(run)
    show(went_on, model=delivered(went_on.path))


def study(
    experiment: Experiment = "digits",
    *,
    strategies: Annotated[
        str | None, typer.Option(help="Names, or file.py:function, with commas between them.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds with commas between them.")] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=V1,V2", help="The values that a key takes in turn.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time; the CPU's cores are shared among them.")] = 1,
    published: Annotated[bool, typer.Option("--published", help="The rows of the paper, beside its numbers.")] = False,
    out: Annotated[Path, typer.Option(help="Holds the runs, the logs and the page; the same command goes on there.")],
) -> None:
    """Every method under one equal budget: runs what is missing, goes on with what was cut off, ends with the table."""
    from palimpsest.reports.conclusion import conclude
    from palimpsest.runs.tables import read_experiment
    from palimpsest.studies.axes import parse_axes
    from palimpsest.studies.grid import published_of
    from palimpsest.studies.study import study

    asked = {"strategies": strategies, "seeds": seeds, "jobs": jobs, "published": published, "out": out}
    outcome = study(experiment, set=parse_axes(set or []), **asked)
    rows = published_of(read_experiment(experiment)) if published else None
    try:
        if outcome.finished:
            said = in_all_runs(outcome.finished)
            print_rich(conclude(outcome.finished, outcome.out, defaults(), rows, said))
            typer.echo(f"report   {outcome.out / 'report.html'}")
    finally:
        outcome.check()


def update(
    model: Annotated[Path, typer.Argument(help="A diffusers pipeline folder; it is only read.")],
    *,
    data: Annotated[Path, typer.Option(help="A folder of pictures, with or without a sub-folder a class, or parquet.")],
    out: Annotated[Path, typer.Option(help="Gets the taught pipeline; the run's own files go to OUT/run.")],
    strategy: Annotated[
        str | None,
        typer.Option(
            help="A name from `palimpsest list strategies`; default: generative_distillation, or "
            "conditional_generative_distillation where MODEL is told of classes."
        ),
    ] = None,
    seed: Seed = None,
    device: Device = None,
    precision: Precision = None,
    set: Settings = None,
    force: Force = False,
    **options: object,
) -> None:
    """Teach an existing diffusers model new pictures without its old ones."""
    asked = arguments(locals())
    from palimpsest.runs import updating

    show(updating.update(**asked), model=out)


def estimate(
    experiment: Experiment = "digits",
    *,
    strategy: Strategy = None,
    seed: Seed = None,
    device: Device = None,
    precision: Precision = None,
    set: Settings = None,
    **options: object,
) -> None:
    """Say what a run would cost on this machine: passes, FLOPs, memory and hours, from a probe of a few steps."""
    asked = arguments(locals())
    from palimpsest.runs import estimate

    print_rich(estimate.estimate(**asked, say=lambda sentence: typer.echo(sentence, err=True)).table())
