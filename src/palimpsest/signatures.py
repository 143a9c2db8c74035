"""A strategy's options as flags of a command: read from the strategy's file, put into the command's signature."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated

import typer

from palimpsest.core.errors import RequestError
from palimpsest.strategies import catalog


def with_strategy_options(command: Callable, arguments: Sequence[str]) -> Callable:
    """The command with the options of the strategy that the arguments name, or of the experiment's own."""
    name = chosen_strategy(arguments) if arguments[:1] == [command.__name__] else ""
    options = catalog.look_up(name).options if name in catalog.names() else ()
    own = inspect.signature(command).parameters.values()
    parameters = [parameter for parameter in own if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    flags = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                option.kind | None, typer.Option(help=f"{name}: {option.help} [default: {option.default}]")
            ],
        )
        for option in options
    ]

    @wraps(command)
    def extended(*args: object, **kwargs: object) -> None:
        command(*args, **kwargs)

    extended.__signature__ = inspect.Signature([*parameters, *flags])
    extended.__annotations__ = {p.name: p.annotation for p in [*parameters, *flags]}
    return extended


def chosen_strategy(arguments: Sequence[str]) -> str:
    """The value of --strategy, or the strategy of the experiment named first; "" where neither can be found."""
    for place, argument in enumerate(arguments):
        if argument.startswith("--strategy="):
            return argument.partition("=")[2]
        if argument == "--strategy" and place + 1 < len(arguments):
            return arguments[place + 1]
    from palimpsest.runs.tables import read_experiment

    named = [argument for argument in arguments[1:2] if not argument.startswith("-")]
    experiment = "update" if arguments[0] == "update" else (named or ["digits"])[0]
    try:
        return read_experiment(experiment).get("strategy", {}).get("name", "")
    except RequestError:
        return ""  # the command itself will say what is wrong with the experiment
