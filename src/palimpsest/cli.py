"""The command line: the commands put together, and how they end."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from palimpsest import __version__
from palimpsest.commands import reading, synthesizing, training
from palimpsest.commands.signatures import strategy_options, with_strategy_options
from palimpsest.core.errors import Interrupted, RequestError, RunError

UsageError = typer.BadParameter.__mro__[1]  # of the click that comes with typer

COMMANDS = (
    training.train,
    training.resume,
    training.study,
    training.update,
    synthesizing.synthesize,
    reading.sample,
    reading.evaluate,
    reading.compare,
    reading.report,
    training.estimate,
    reading.list_,
    reading.doctor,
)


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
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback()(palimpsest)
    for command in COMMANDS:
        app.command(command.__name__.rstrip("_"))(with_strategy_options(command, arguments))
    return app


def main() -> None:
    """Entry point: exit code 0 done, 2 the request is wrong, 1 it failed on the way, 130 interrupted, state saved."""
    # Threads that wait for each other spin a while and then sleep. By torch's default they spin for long, which makes a
    # step ten times as long where others use the cores, too; without spinning it takes twice as long on idle cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # read when torch is imported
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # until a run is under way, and takes both into its own hands
    try:
        sys.exit(application(sys.argv[1:])(standalone_mode=False))
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except typer.Abort:
        fail("interrupted; nothing was begun that would have to be gone on with", 130)
    except UsageError as error:
        fail(in_one_sentence(error, sys.argv[1:]), 2)
    except RequestError as error:
        fail(error, 2)
    except RunError as error:
        fail(error, 1)
    except OSError as error:
        fail(f"{error.filename} cannot be used ({error.strerror})" if error.filename else error, 1)
    except Interrupted as stopped:
        again = f"`palimpsest resume {stopped}`" if str(stopped) else "the same command"
        fail(f"interrupted; the state is saved, go on with {again}", 130)
    except KeyboardInterrupt:
        fail("interrupted before there was a state to save; give the same command again", 130)


def in_one_sentence(error: UsageError, arguments: Sequence[str]) -> str:
    """What is wrong with the arguments, and where to read more. An unknown option of a strategy: those that it has."""
    names = [command.__name__.rstrip("_") for command in COMMANDS]
    command = next((f"{argument} " for argument in arguments[:1] if argument in names), "")
    said = " ".join(error.format_message().split()).removesuffix(".")
    if "No such option" in said and (options := strategy_options(command.strip(), arguments)):
        said = said.partition(" (Possible")[0] + options
    return f"{said[0].lower()}{said[1:]}; see `palimpsest {command}--help`."


def fail(sentence: object, code: int) -> None:
    """One sentence on standard error, and the exit code."""
    typer.echo(f"palimpsest: {sentence}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
