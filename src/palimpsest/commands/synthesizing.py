"""The command that makes a labelled set of pictures from a model."""

from pathlib import Path
from typing import Annotated

import typer

from palimpsest.commands.options import Force
from palimpsest.commands.output import print_rich


def synthesize(
    model: Annotated[
        str,
        typer.Argument(help="A diffusers text-to-image folder, its name on the hub, or a run that is told of classes."),
    ] = "CompVis/stable-diffusion-v1-4",
    *,
    out: Annotated[Path | None, typer.Option(help="Gets a sub-folder a class and manifest.json.")] = None,
    prompts: Annotated[
        str | None, typer.Option(help="A CSV or JSONL file with one row a class; or cifar10, cifar100, fashion_mnist.")
    ] = None,
    count: Annotated[int, typer.Option(help="Pictures of each class.")] = 500,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 50,
    guidance: Annotated[
        float | None, typer.Option(help="How much more the class counts; default: 2 for text, none for classes.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Pixels a side of what is stored; 0: as drawn; default: 32, or as drawn where less."),
    ] = None,
    batch: Annotated[int, typer.Option(help="Pictures drawn at once; it decides their last bits.")] = 8,
    sampler: Annotated[
        str | None, typer.Option(help="In place of the model's own; `palimpsest list samplers`.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Of a model of the hub.")] = None,
    template: Annotated[str | None, typer.Option(help='Of a prompt; default: "{name}, {definition}".')] = None,
    negative: Annotated[str | None, typer.Option(help="Negative prompt of rows that have none.")] = None,
    wordnet: Annotated[
        str | None, typer.Option(help="A folder of WordNet 3.0, or installed, for rows without a definition.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Names of classes, with commas between them; default: all.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto (fp16 on cuda, else fp32), fp32, fp16 or bf16.")] = "auto",
    retries: Annotated[int, typer.Option(help="How often a flagged picture is drawn again.")] = 10,
    safety_checker: Annotated[
        bool, typer.Option("--safety-checker/--no-safety-checker", help="Throw away and redraw what it flags.")
    ] = True,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it would cost, of what is missing in --out, and write nothing.")] = False,
    force: Force = False,
) -> None:
    """Draw a labelled set of pictures from a text-to-image model, with its manifest. The same command goes on."""
    asked = {name: value for name, value in locals().items() if name not in ("model", "out", "estimate", "force")}
    asked["classes"] = [word.strip() for word in classes.split(",")] if classes is not None else None
    from palimpsest.core.errors import RequestError
    from palimpsest.runs.synthesizing import estimated, synthesize

    if estimate:
        typer.echo("estimating: three batches of one or two steps", err=True)
        print_rich(estimated(model, None if force else out, **asked).table())
        return
    if out is None:
        raise RequestError("the pictures need a place; give --out FOLDER (or --estimate, which writes nothing).")
    synthesize(model, out=out, force=force, **asked)
