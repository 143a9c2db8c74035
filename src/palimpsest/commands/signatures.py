"""A strategy's options as flags of a command: read from the strategy's file, put into the command's signature."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import Annotated, Any

import typer

from palimpsest.core.errors import RequestError
from palimpsest.strategies import catalog

FLAGS = ("--force", "--help")  # options without a value


def with_strategy_options(command: Callable, arguments: Sequence[str]) -> Callable:
    """The command with, in place of its **options, those of the strategy that the arguments name or imply."""
    own = list(inspect.signature(command).parameters.values())
    if not own or own[-1].kind is not inspect.Parameter.VAR_KEYWORD:
        return command
    name = chosen_strategy(arguments) if arguments[:1] == [command.__name__] else ""
    entry = catalog.find(name) if name else None
    said = strategy_table(arguments).get(entry.name, {}) if entry else {}
    options = entry.options if entry else ()
    flags = [as_flag(entry.name, option, said.get(option.name, option.default)) for option in options]
    if taken := {parameter.name for parameter in own} & {flag.name for flag in flags}:
        raise RequestError(
            f"option {min(taken)} of strategy {entry.name} is called like an option of `palimpsest {command.__name__}`; call it "
            "otherwise."
        )
    parameters = [*own[:-1], *flags]

    @wraps(command)
    def extended(*args: object, **kwargs: object) -> None:
        command(*args, **kwargs)

    extended.__signature__ = inspect.Signature(parameters)
    extended.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return extended


def strategy_options(command: str, arguments: Sequence[str]) -> str:
    """Half a sentence about the options of the strategy that the arguments name or imply; "" for other commands."""
    name = chosen_strategy(arguments) if command in ("train", "update", "estimate") else ""
    if not name:
        return ""
    entry = catalog.find(name)
    flags = [f"--{option.name.replace('_', '-')}" for option in entry.options]
    return f" (strategy {entry.name} has {', '.join(flags) or 'no options of its own'})"


def as_flag(strategy: str, option: catalog.Option, default: object) -> inspect.Parameter:
    """An option of a strategy as a parameter of a command; None where it is not given. default: the experiment's."""
    kind = Annotated[option.kind | None, typer.Option(help=f"{strategy}: {option.help} [default: {default}]")]
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def chosen_strategy(arguments: Sequence[str]) -> str:
    """The value of --strategy, or the strategy of the experiment named first; "" where neither can be found."""
    for place, argument in enumerate(arguments):
        if argument.startswith("--strategy="):
            return argument.partition("=")[2]
        if argument == "--strategy" and place + 1 < len(arguments):
            return arguments[place + 1]
    chosen = strategy_table(arguments)
    return chosen.get("place") or chosen.get("name", "")


def strategy_table(arguments: Sequence[str]) -> Mapping[str, Any]:
    """The table [strategy] of the experiment named first; nothing where it cannot be read, which the command itself will say."""
    from palimpsest.runs.tables import read_experiment

    experiment = "update" if arguments[0] == "update" else first_place(arguments[1:]) or "digits"
    with suppress(RequestError):
        found = read_experiment(experiment).get("strategy")
        return found if isinstance(found, dict) else {}
    return {}


def first_place(arguments: Sequence[str]) -> str:
    """The first argument that is neither an option nor an option's value; "" where there is none."""
    value_follows = False
    for argument in arguments:
        if argument.startswith("-"):
            value_follows = "=" not in argument and argument not in FLAGS
        elif value_follows:
            value_follows = False
        else:
            return argument
    return ""
