"""The places in a run directory, and how one is begun, opened and closed."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from palimpsest.core.errors import RequestError
from palimpsest.core.files import check_place, write_atomically
from palimpsest.runs.checkpoint import Checkpoints
from palimpsest.runs.events import Events

OWN = (
    "config.toml",
    "environment.json",
    "events.jsonl",
    "results.json",
    "models",
    "samples",
    "checkpoints",
    "report.html",
    "tensorboard",
    "wandb",
)
LOCK, MARK = ".lock", ".beginning"
MODEL_THERE = ", for it is a single model"


@dataclass(frozen=True)
class RunFolder:
    """RUN/, see section "a run is a directory" of the design."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def results(self) -> Path:
        return self.path / "results.json"

    @property
    def events(self) -> Events:
        return Events(self.path / "events.jsonl")

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.path / "checkpoints")

    def model(self, task: int) -> Path:
        """The pipeline folder of a task."""
        return self.path / "models" / f"task_{task}"

    @property
    def synthetic_sheet(self) -> Path:
        """A sheet of the synthetic pictures that were learnt from."""
        return self.path / "samples" / "synthetic.png"

    @property
    def models(self) -> dict[int, Path]:
        """The folders of the models that are there, by task."""
        named = {path.name.removeprefix("task_"): path for path in (self.path / "models").glob("task_*")}
        found = {int(number): path for number, path in named.items() if number.isdecimal()}
        if not found and self.evaluation_of:
            raise RequestError(
                f"{self.path} is an evaluation of {self.evaluation_of}, which holds numbers and no models; give {self.evaluation_of}."
            )
        if not found:
            raise RequestError(f"{self.path} has no model yet: its first task is not finished.")
        return dict(sorted(found.items()))

    @property
    def evaluation_of(self) -> str:
        """What `evaluate` measured to make this folder; "" for a run."""
        try:
            return json.loads(self.results.read_text()).get("evaluation_of", "")
        except (OSError, ValueError):
            return ""

    def picture(self, task: int, ending: str = "") -> Path:
        """A picture of a task: the sample sheet, or another one by the ending of its name ("_closest")."""
        return self.path / "samples" / f"task_{task}{ending}.png"

    def refuse_if_used(self, force: bool, other: Callable[[], str] = str) -> None:
        """Refuse a folder that cannot be written, or that holds something; with `force`, only what is not a run.

        other: says in which setting the run that is there is not the one that is asked for; "" where it is that one.
        """
        check_place(self.path)
        if self.path.exists() and not self.path.is_dir():
            raise RequestError(f"{self.path} is a file, and a run is a directory; choose another --out.")
        if (
            (self.path / MARK).exists()
            or not self.path.exists()
            or not any(e.name != LOCK for e in self.path.iterdir())
        ):
            return
        if not self.config.exists():
            raise RequestError(
                f"{self.path} holds files that are not a run's, and nothing is written among them; choose another --out."
            )
        if not force and (key := other()):
            raise RequestError(
                f"{self.path} holds another run, of which {key} is not as was asked for; choose another --out, or replace it with --force."
            )
        if not force:
            raise RequestError(
                f"{self.path} holds a run already; go on with it by `palimpsest resume {self.path}`, choose another "
                "--out, or replace it with --force."
            )

    def begin(self, config: str, environment: dict) -> None:
        """Make the folder and write down what the run is. An older run in it (`--force`) goes first.

        A mark lies in the folder meanwhile, so that a beginning that was cut off is known for one.
        """
        (self.path / MARK).touch()
        for name in OWN:
            place = self.path / name
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        for place in (self.path / "models", self.path / "samples", self.path / "checkpoints"):
            place.mkdir(parents=True)
        write_atomically(self.environment, json.dumps(environment, indent=2).encode())
        write_atomically(self.config, config.encode())
        (self.path / MARK).unlink()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the run's lock; refuse where another process works in it."""
        lock = FileLock(self.path / LOCK)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RequestError(f"another process is at work in {self.path}; wait for it, or stop it first.") from error
        except OSError as error:
            raise RequestError(
                f"nothing can be written to {self.path} ({error.strerror}); choose another --out."
            ) from error
        try:
            yield
        finally:
            lock.release()  # the file stays: removing it would let two others lock two files of one name


def open_folder(path: str | Path) -> RunFolder:
    """The run in `path`, or in `path`/run as `update` writes it."""
    for place in (Path(path), Path(path) / "run"):
        if (place / MARK).exists():
            raise RequestError(f"the beginning of the run in {place} was cut off, and nothing is lost; train it again.")
        if (place / "config.toml").exists():
            return RunFolder(place)
    if not Path(path).exists():
        raise RequestError(f'there is no "{path}"; give the directory of a run, runs lie in runs/EXPERIMENT/.')
    if not Path(path).is_dir():
        raise RequestError(f"{path} is a file, and a run is a directory; runs lie in runs/EXPERIMENT/.")
    raise RequestError(
        f"{path} is not a run directory: it has no config.toml{MODEL_THERE if is_model(path) else ''}; runs lie in "
        "runs/EXPERIMENT/."
    )


def is_model(path: str | Path) -> bool:
    """Whether a folder is a diffusers pipeline."""
    return (Path(path) / "model_index.json").exists()
