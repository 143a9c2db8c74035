"""Teach an existing model new pictures: a run whose first teacher is given."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.core.files import check_place
from palimpsest.core.term import Strategy
from palimpsest.runs.assembly import KINDS, TEACHING
from palimpsest.runs.config import Experiment, as_settings, resolve
from palimpsest.runs.display import Display
from palimpsest.runs.folder import RunFolder
from palimpsest.runs.start import Run, train
from palimpsest.runs.tables import read_experiment
from palimpsest.strategies import catalog
from palimpsest.strategies.declare import ANY, KEEPS

BROUGHT = {"teacher", "average"}  # what a given model is, of all that strategies keep


def update(
    model: str | Path,
    *,
    data: str | Path,
    out: str | Path,
    strategy: str | Strategy | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    set: Mapping[str, Any] | None = None,
    force: bool = False,
    display: Display | None = None,
    **options: Any,
) -> Run:
    """Teach a diffusers model the pictures in `data`, without the ones that it was trained on.

    model: a folder of a pixel pipeline (DDPMPipeline, DDIMPipeline); only read. Its own betas, prediction type and range are
    used. It is the first teacher, so that k = 2 in the first task. One that is told of classes gets embeddings for new ones, the
    class folders of `data`, and keeps those that it has; classes are the same where their names are (classes.json).
    out: opens with stock diffusers afterwards; the run's own files lie in out/run.
    The other arguments, and what is raised, are those of `train`.
    """
    model, data, out = Path(model), Path(data), Path(out)
    check_folders(model, data, out)
    RunFolder(out / "run").refuse_if_used(force)
    tables = read_experiment("update") | {"learner": KINDS[is_told_of_classes(model)]}
    if strategy is None:
        tables["strategy"] = tables["strategy"] | {"name": TEACHING[tables["learner"]]}
    tables["stream"] = tables.get("stream", {}) | {"name": data.resolve().name, "path": str(data.resolve().parent)}
    tables |= {"model": str(model.resolve()), "deliver": ".."}
    check_brought(resolve(tables, strategy, options, as_settings(set)), strategy)
    return train(
        tables,
        strategy=strategy,
        seed=seed,
        out=out / "run",
        device=device,
        precision=precision,
        set=set,
        force=force,
        display=display,
        **options,
    )


def check_folders(model: Path, data: Path, out: Path) -> None:
    """Refuse places where a model could be lost or nothing be found."""
    check_place(out)
    inside = {out.resolve(), *out.resolve().parents}, {model.resolve(), *model.resolve().parents}
    if model.resolve() in inside[0] or out.resolve() in inside[1]:
        raise RequestError(f"--out {out} and the model {model} lie in one another; the model is never written to.")
    if not data.is_dir():
        raise RequestError(
            f"--data {data} is not a folder; give a folder of pictures, of class folders, or of parquet."
        )
    if out.is_file():
        raise RequestError(f"--out {out} is a file, and a model is a folder; choose another --out.")
    if out.exists() and not (out / "run").exists() and any(out.iterdir()):
        raise RequestError(f"{out} is not empty, and nothing is written among other files; choose another --out.")


def check_brought(experiment: Experiment, strategy: str | Strategy | None) -> None:
    """Refuse a strategy that holds on to the past by what a given model does not bring: it would fine-tune and say nothing."""
    name = experiment.strategy.name
    keeps = catalog.find(strategy or experiment.strategy.reference).keeps
    if not keeps <= BROUGHT:
        missing = " and ".join(KEEPS[what] for what in sorted(keeps - BROUGHT))
        fitting = [entry for entry in map(catalog.look_up, catalog.names()) if entry.keeps <= BROUGHT]
        names = [entry.name for entry in fitting if entry.learners == ANY or experiment.learner in entry.learners]
        raise RequestError(
            f"strategy {name} needs {missing}, and a given model brings nothing but itself, as the teacher; strategies that can "
            f"teach {experiment.model}: {', '.join(names)}."
        )


def is_told_of_classes(model: Path) -> bool:
    """Whether the network in a pipeline folder has class embeddings; what is wrong with the folder is found out later."""
    try:
        return bool(json.loads((model / "unet" / "config.json").read_text(encoding="utf-8")).get("num_class_embeds"))
    except (OSError, ValueError, AttributeError):
        return False
