"""The command line. Every command is a thin layer over a function of the package, imported when it is called."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from palimpsest import __version__, signatures
from palimpsest.core.errors import Interrupted, RequestError, RunError

Experiment = Annotated[str, typer.Argument(help="A name from `palimpsest list experiments`, or a TOML file.")]
Strategy = Annotated[str | None, typer.Option(help="A name from `palimpsest list strategies`.")]
Seed = Annotated[int | None, typer.Option(help="Of everything that is drawn.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")]
Precision = Annotated[str | None, typer.Option(help="fp32, or bf16 (automatic mixed precision).")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key of the experiment.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


def version(asked: bool) -> None:
    if asked:
        typer.echo(f"palimpsest {__version__}")
        raise typer.Exit


def palimpsest(
    version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Teach diffusion models new things without the old data, and prove what they kept."""


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

    show(start.resume(run))


def update(
    model: Annotated[Path, typer.Argument(help="A diffusers pipeline folder; it is only read.")],
    *,
    data: Annotated[Path, typer.Option(help="A folder of pictures, with or without a sub-folder a class, or parquet.")],
    out: Annotated[Path, typer.Option(help="Gets the taught pipeline; the run's own files go to OUT/run.")],
    strategy: Strategy = None,
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

    typer.echo("probing: a few steps, and one batch of samples", err=True)
    print_rich(estimate.estimate(**asked).table())


def sample(
    place: Annotated[
        Path, typer.Argument(metavar="RUN|MODEL", help="A run directory, or a diffusers pipeline folder.")
    ],
    *,
    out: Annotated[str, typer.Option(help="FILE.png (a sheet), FILE.npz (uint8 N×H×W×C), or FOLDER/ (a PNG each).")],
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 60,
    task: Annotated[int | None, typer.Option(help="Of which task's model; default: the last.")] = None,
    sampler: Annotated[str, typer.Option(help="A name from `palimpsest list samplers`.")] = "ddim",
    steps: Annotated[int, typer.Option(min=1, help="Sampling steps.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    force: Force = False,
) -> None:
    """Draw pictures from a run's model, or from any unconditional diffusers pipeline."""
    from palimpsest.runs.sampling import sample_to

    sample_to(place, out, count=count, task=task, sampler=sampler, steps=steps, seed=seed, device=device, force=force)
    typer.echo(f"{count} samples: {out}")


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    *,
    csv: Annotated[Path | None, typer.Option(help="Write the table to a file too.")] = None,
    force: Force = False,
) -> None:
    """A table of methods × measures, mean ± standard error over seeds."""
    from palimpsest.reports import table
    from palimpsest.reports.results import load_results

    compared = table.compare([load_results(run) for run in runs], defaults())
    if csv:
        table.write_csv(compared, csv, force=force)
    print_rich(table.render(compared))


def list_(
    what: Annotated[
        str, typer.Argument(help="experiments, strategies, streams, samplers or measures; default: all.")
    ] = "",
) -> None:
    """What there is to choose from."""
    from palimpsest.runs.listing import listing

    print_rich(listing(what))


def doctor() -> None:
    """What is installed, what is missing, and what that means."""
    from palimpsest.runs.doctor import findings

    print_rich(findings())


def defaults() -> dict[str, dict[str, object]]:
    """The options of all strategies: a table names those that differ."""
    from palimpsest.strategies import catalog

    return {name: {o.name: o.default for o in catalog.look_up(name).options} for name in catalog.names()}


def arguments(given: dict[str, object]) -> dict[str, object]:
    """What a command was given, as the function behind it takes it: without what was left out, the settings read."""
    from palimpsest.runs.tables import parse_setting

    given = given | given.pop("options")
    given["set"] = dict(parse_setting(text) for text in given["set"] or [])
    return {name: value for name, value in given.items() if value is not None}


def show(run: object, model: Path | None = None) -> None:
    """The result table of a run, and where its files are; said by the first process alone."""
    from palimpsest.reports.results import load_results
    from palimpsest.reports.table import run_table

    if not run.results:
        return
    print_rich(run_table(load_results(run.path)))
    last = len(run.results["tasks"])
    typer.echo(f"run      {run.path}\nmodel    {model or run.path / 'models' / f'task_{last}'}")
    typer.echo(f"samples  {run.path / 'samples' / f'task_{last}.png'}")


def print_rich(thing: object) -> None:
    """Print what rich can print."""
    from rich.console import Console

    Console(highlight=False).print(thing)


def application(arguments: Sequence[str]) -> typer.Typer:
    """The commands; those that train take the options of the strategy that the arguments name."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback()(palimpsest)
    for command in (train, resume, update, sample, compare, estimate, list_, doctor):
        app.command(command.__name__.rstrip("_"))(signatures.with_strategy_options(command, arguments))
    return app


def main() -> None:
    """Entry point: exit code 0 done, 2 the request is wrong, 1 it failed on the way, 130 interrupted, state saved."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # until a run is under way, and takes both into its own hands
    try:
        application(sys.argv[1:])()
    except RequestError as error:
        fail(error, 2)
    except RunError as error:
        fail(error, 1)
    except OSError as error:
        fail(f"{error.strerror or error}: {error.filename}" if error.filename else error, 1)
    except Interrupted:
        fail("interrupted; the state is saved, go on with `palimpsest resume`", 130)


def fail(sentence: object, code: int) -> None:
    """One sentence on standard error, and the exit code."""
    typer.echo(f"palimpsest: {sentence}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
