"""The commands put together, and what is said about arguments that fit none of them."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from typer.core import TyperGroup

from palimpsest import __version__
from palimpsest.commands import reading, synthesizing, training
from palimpsest.commands.signatures import strategy_options, with_strategy_options

UsageError = typer.BadParameter.__mro__[1]  # of the click that comes with typer

GROUPS = {
    "Train and go on": (training.train, training.resume, training.study, training.estimate),
    "Teach a model of your own": (training.update, synthesizing.synthesize),
    "Look at what came out": (reading.sample, reading.evaluate, reading.compare, reading.report),
    "What there is": (reading.list_, reading.doctor),
}


def name_of(command: Callable) -> str:
    """As it is typed."""
    return command.__name__.rstrip("_")


class Grouped(TyperGroup):
    """Shows the commands in groups, each with the whole first line of its help."""

    def format_commands(self, ctx: typer.Context, formatter: object) -> None:
        for title, commands in GROUPS.items():
            with formatter.section(title):
                rows = [(name_of(each), self.commands[name_of(each)].help) for each in commands]
                formatter.write_dl(rows, col_max=10)


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


def application(arguments: Sequence[str]) -> typer.Typer:
    """The commands; those that train take the options of the strategy that the arguments name."""
    app = typer.Typer(cls=Grouped, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback()(palimpsest)
    for command in (each for group in GROUPS.values() for each in group):
        app.command(name_of(command))(with_strategy_options(command, arguments))
    return app


def call(arguments: Sequence[str]) -> int | None:
    """Do what the arguments say, without any the help; an exit code, where typer has ended it."""
    return application(arguments)(arguments or ["--help"], standalone_mode=False)


def in_one_sentence(error: UsageError, arguments: Sequence[str]) -> str:
    """What is wrong with the arguments, and where to read more. An unknown option of a strategy: those that it has."""
    names = [name_of(each) for group in GROUPS.values() for each in group]
    command = next((f"{argument} " for argument in arguments[:1] if argument in names), "")
    said = " ".join(error.format_message().split()).removesuffix(".")
    if "No such option" in said and (options := strategy_options(command.strip(), arguments)):
        said = said.partition(" (Possible")[0] + options
    return f"{said[0].lower()}{said[1:]}; see `palimpsest {command}--help`."
