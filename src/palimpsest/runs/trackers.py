"""Mirrors a run's losses and measures into TensorBoard or Weights & Biases; events.jsonl is written all the same."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from palimpsest.core.errors import RequestError, RunError

PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb"}  # also the names of the extras


class Tracker(Protocol):
    """Takes numbers by name, at a step."""

    def write(self, scalars: Mapping[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class Nowhere:
    """Tracks nothing."""

    def write(self, scalars: Mapping[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """Event files in RUN/tensorboard: `tensorboard --logdir runs` shows all runs.

    After an interruption, steps that came after the last checkpoint are in it twice.
    """

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder / "tensorboard"))

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        self.writer.close()


class WandB:
    """A run of the project "palimpsest"; one that is resumed goes on in the same place."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        import wandb

        name = "-".join(folder.resolve().parts[-3:])
        asked = {"project": "palimpsest", "id": name, "name": name, "dir": str(folder), "resume": "allow"}
        try:
            self.run = wandb.init(**asked, config=config)
        except Exception as error:  # not logged in, no network
            raise RunError(
                f"Weights & Biases cannot be reached ({str(error).splitlines()[0]}); set WANDB_MODE=offline and go on "
                f"with `palimpsest resume {folder}`."
            ) from error

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        self.run.log({**scalars, "step": step})

    def close(self) -> None:
        self.run.finish()


def check_tracker(name: str) -> None:
    """Refuse a tracker whose package is not installed."""
    if name != "none" and find_spec(PACKAGES[name]) is None:
        raise RequestError(
            f"engine.tracker is \"{name}\", which is not installed: pip install 'palimpsest[{name}]', or leave it out, for "
            "events.jsonl holds the same numbers."
        )


def open_tracker(name: str, folder: Path, config: Mapping[str, Any]) -> Tracker:
    """The tracker that engine.tracker names. folder: of the run.  config: its resolved experiment."""
    if name == "tensorboard":
        return TensorBoard(folder)
    return WandB(folder, config) if name == "wandb" else Nowhere()


def scalars_of(event: str, facts: Mapping[str, Any]) -> tuple[dict[str, float], int]:
    """The numbers in an event by name, and their step: the phase's for losses, the task's number for all others."""
    if event == "step":
        return {f"task {facts['task']}/{name}": value for name, value in facts["losses"].items()}, facts["step"]
    if event == "measures":
        return {f"measures/{name}": value for name, value in facts["measures"].items()}, facts["number"]
    if event == "replay":
        return {f"replay/{facts['learner']} {facts['source']} purity": facts["purity"]}, facts["task"]
    return {}, 0
