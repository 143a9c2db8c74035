"""The commands that read runs and models, and say what there is."""

from pathlib import Path
from typing import Annotated

import typer

from palimpsest.commands.options import Device, Force, Model, Runs, Settings, arguments
from palimpsest.commands.output import defaults, in_all_runs, print_rich
from palimpsest.core.words import counted


def sample(
    place: Model,
    *,
    out: Annotated[str, typer.Option(help="FILE.png (a sheet), FILE.npz (uint8 N×H×W×C), or FOLDER/ (a PNG each).")],
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 60,
    task: Annotated[int | None, typer.Option(help="Of which task's model; default: the last.")] = None,
    sampler: Annotated[str, typer.Option(help="A name from `palimpsest list samplers`.")] = "ddim",
    steps: Annotated[int, typer.Option(min=1, help="Sampling steps.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    classes: Annotated[
        str | None,
        typer.Option(help="Names or numbers with commas between them, where it is told of classes; default: all."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    force: Force = False,
) -> None:
    """Draw pictures from a run's model, or from any pixel pipeline of diffusers."""
    from palimpsest.runs.sampling import sample_to

    how = {"count": count, "task": task, "sampler": sampler, "steps": steps, "seed": seed, "device": device}
    how["classes"] = [word.strip() for word in classes.split(",")] if classes is not None else None
    sample_to(place, out, force=force, **how)
    typer.echo(f"{counted(count, 'sample')}: {out}")


def evaluate(
    place: Model,
    *,
    data: Annotated[
        Path | None, typer.Option(help="Measure against these: a folder of pictures, of class folders, or of parquet.")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="A name from `palimpsest list samplers`.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Samples a measurement.")] = None,
    extractor: Annotated[
        str | None, typer.Option(help="evaluator, inception, package.module:attribute or file.py:attribute.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A new folder, which compare and report read like a run.")] = None,
    device: Device = None,
    set: Settings = None,
) -> None:
    """Measure a run's models again, or any model: other samplers, other features, other data."""
    from palimpsest.reports.results import parse
    from palimpsest.reports.table import run_table
    from palimpsest.runs import evaluating

    asked = arguments({"data": data, "out": out, "device": device, "set": set})
    chosen = {"sampler": sampler, "steps": steps, "samples": samples, "extractor": extractor}
    asked["set"] |= {f"evaluation.{name}": value for name, value in chosen.items() if value is not None}
    print_rich(run_table(parse(evaluating.evaluate(place, **asked), {}, place)))
    typer.echo(f"results  {out or 'shown above, and not kept: --out FOLDER keeps them'}")


def compare(
    runs: Runs,
    *,
    csv: Annotated[Path | None, typer.Option(help="Write the table to a file too.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print the table as LaTeX, and nothing else.")] = False,
    published: Annotated[bool, typer.Option("--published", help="Our numbers beside the paper's.")] = False,
    against: Annotated[
        Path | None, typer.Option(help="Differences from this run's method, between runs of the same seed.")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Every run in a row of its own, and no means.")] = False,
    force: Force = False,
) -> None:
    """A table of methods × measures, mean ± standard error over seeds."""
    from palimpsest.core.errors import RequestError
    from palimpsest.reports import published as papers
    from palimpsest.reports import table
    from palimpsest.reports.comparison import compare
    from palimpsest.reports.latex import to_latex
    from palimpsest.reports.paired import differences
    from palimpsest.reports.results import load_results
    from palimpsest.runs.tables import read_experiment
    from palimpsest.studies.grid import published_of

    if published and (against or each):
        raise RequestError(
            f"--published and {'--against' if against else '--each'} are two tables; ask for one of them."
        )
    found = [load_results(run) for run in runs]
    usual = defaults({run.experiment for run in found})
    compared = differences(found, load_results(against), usual, each) if against else compare(found, usual, each=each)
    compared = compared.with_notes(in_all_runs(runs))
    if csv:
        table.write_csv(compared, csv, force=force)
    if published:
        rows = published_of(read_experiment(found[0].experiment))
        print_rich(papers.render_published(papers.compare_published(found, rows, usual)))
    elif latex:
        typer.echo(to_latex(compared))
    else:
        print_rich(table.render(compared))


def report(
    runs: Runs,
    *,
    out: Annotated[Path | None, typer.Option(help="The page; of one run, RUN/report.html.")] = None,
    force: Force = False,
) -> None:
    """One self-contained page about one or several runs: tables, curves, samples, what was forgotten and where."""
    from palimpsest.core.errors import RequestError
    from palimpsest.reports.page import write_report
    from palimpsest.reports.results import folder_of

    if out is None and len(runs) > 1:
        raise RequestError(f"a page about {len(runs)} runs needs a place; give --out FILE.html.")
    place = out or folder_of(runs[0]) / "report.html"
    page = write_report(runs, place, defaults=defaults(), said=in_all_runs(runs), force=force)
    typer.echo(f"report   {page}")


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
