"""A labelled set of pictures from a model, with its manifest: asked for, checked, drawn, and recorded."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from palimpsest.core.errors import Interrupted, RunError, unknown
from palimpsest.core.stopping import stoppable
from palimpsest.core.words import counted
from palimpsest.learning.devices import Machine, find_device, find_machine
from palimpsest.learning.options import EngineOptions
from palimpsest.streams.manifest import NAME, read_manifest
from palimpsest.synthesis.batches import Batch, batches_of, draw, plan, wanted
from palimpsest.synthesis.cost import SynthesisEstimate, estimate, in_words
from palimpsest.synthesis.display import SynthesisDisplay
from palimpsest.synthesis.folder import SynthesisFolder
from palimpsest.synthesis.manifest import settings_of
from palimpsest.synthesis.meeting import Meeting
from palimpsest.synthesis.opening import open_painter
from palimpsest.synthesis.painter import SIDE, Painter, stored_size
from palimpsest.synthesis.prompt_file import TEMPLATE
from palimpsest.synthesis.request import MODEL, Request
from palimpsest.synthesis.subjects import Subject

Lost = tuple[int, int, str]  # a class, the place of a picture that was flagged in every try, and the class's name


@dataclass(frozen=True)
class Prepared:
    """All that is needed to draw. size: (height, width) as stored.  settings: a manifest but for what drawing adds."""

    request: Request
    machine: Machine
    painter: Painter
    subjects: tuple[Subject, ...]
    size: tuple[int, int]
    settings: dict[str, Any]

    def asking_for(self, count: int) -> "Prepared":
        """The same for another count of pictures of each class."""
        return replace(self, request=replace(self.request, count=count), settings=self.settings | {"count": count})


def synthesize(
    model: str | Path = MODEL,
    *,
    out: str | Path,
    force: bool = False,
    display: SynthesisDisplay | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Draw `count` pictures of each class into a folder, and give back its manifest.

    A finished folder is left as it is, or gets the pictures that it has less than `count` of each class.

    model: the folder of a diffusers text-to-image pipeline, its name on the hub, or a run or model of palimpsest that is told
    of classes.  asked: the fields of `Request` (prompts, count, seed, steps, guidance, size, ...).  force: replace a set that is there.
    Raises RequestError before anything is written where the request is wrong, RunError where it fails on the way, and
    Interrupted on Ctrl-C and SIGTERM; the same call then goes on.
    """
    SynthesisFolder(Path(out)).refuse_foreign()
    return draw_into(Path(out), prepare(request_of(model, asked)), force, display)


def draw_into(
    out: Path, prepared: Prepared, force: bool = False, display: SynthesisDisplay | None = None
) -> dict[str, Any]:
    """`synthesize`, with the model open already."""
    folder, display = SynthesisFolder(out), display or SynthesisDisplay()
    folder.refuse_foreign()
    display.quiet |= not prepared.machine.main
    display.world = prepared.machine.world
    if not force:
        folder.refuse_other(prepared.settings)
        if folder.finished:
            folder.check_complete()
        if folder.holds(prepared.settings):
            folder.tidy()
            display.say(f"{folder.path} is finished")
            return read_manifest(folder.path)
    return work(folder, prepared, display, force)


def estimated(model: str | Path = MODEL, out: str | Path | None = None, **asked: Any) -> SynthesisEstimate:
    """What `synthesize` would cost on this machine, of what is missing in `out` where that is given; arguments as there. Writes nothing.

    Raises RequestError for a request that `synthesize` would refuse.
    """
    if out is not None:
        SynthesisFolder(Path(out)).refuse_foreign()
    return estimate_of(prepare(request_of(model, asked)), None if out is None else Path(out))


def estimate_of(prepared: Prepared, out: Path | None = None) -> SynthesisEstimate:
    """The same, with the model open already."""
    missing = plan(len(prepared.subjects), prepared.request, set() if out is None else there_of(out, prepared))
    how = prepared.painter, prepared.subjects, prepared.request, prepared.size, prepared.machine.world
    return fitting(lambda: estimate(*how, missing), prepared.request)


def there_of(out: Path, prepared: Prepared) -> set[tuple[int, int]]:
    """The batches that a folder has already, as `SynthesisFolder.done`. Refuses a set that is made with other settings."""
    folder = SynthesisFolder(out)
    folder.refuse_other(prepared.settings)
    return folder.done(prepared.settings)


def request_of(model: str | Path, asked: dict[str, Any]) -> Request:
    """The request that a call describes."""
    legal = {field.name for field in fields(Request)} - {"model"}
    for name in asked.keys() - legal:
        raise unknown("option of synthesize", name, legal)
    given = {name: value for name, value in asked.items() if value is not None}
    for name in given.keys() & {"prompts", "wordnet"}:
        given[name] = str(given[name])
    return Request(str(model), **given | {"classes": tuple(given.get("classes", ()))})


def prepare(request: Request, side: int = SIDE) -> Prepared:
    """Open the model and the prompts, and check all that can be checked before drawing. side: kept where no size is asked for."""
    find_device(request.device)
    machine = find_machine(EngineOptions(device=request.device))
    painter, subjects = open_painter(request, machine)
    size = stored_size(painter.native, request.size, side)
    template = (request.template or TEMPLATE) if subjects[0].prompt else ""
    sizes = (painter.native, size)
    settings = settings_of(request, painter.about, subjects, template, sizes, machine.device.type)
    return Prepared(request, machine, painter, subjects, size, settings)


def work(folder: SynthesisFolder, prepared: Prepared, display: SynthesisDisplay, anew: bool) -> dict[str, Any]:
    """Draw what is missing. The processes agree on what that is before any of them writes."""
    machine, request = prepared.machine, prepared.request
    meeting = Meeting(machine)
    with ExitStack() as stack:
        meeting.wait()  # until all have looked at what is there, which may be other than what is there afterwards
        if machine.main:
            stack.enter_context(folder.alone())
            folder.begin(prepared.settings, anew)
        meeting.wait()
        missing = plan(len(prepared.subjects), request, folder.done(prepared.settings))
        meeting.wait()
        there = request.count * len(prepared.subjects) - sum(wanted(prepared.settings, batch.number) for batch in missing)
        display.say(in_words(request, len(prepared.subjects), prepared.painter.native, prepared.size, there))
        display.begin(request.count * len(prepared.subjects), there)
        try:
            lost = draw_all(folder, prepared, missing[machine.rank :: machine.world], display)
        finally:
            display.end()
        refuse_lost(meeting.together(lost), request, folder.path)
        if machine.main:
            folder.finish(prepared.settings, batches_of(request.count, request.batch))
        meeting.wait()
    manifest = read_manifest(folder.path)
    display.say(said_of(manifest, folder.path))
    return manifest


def said_of(manifest: Mapping[str, Any], path: Path) -> str:
    """What a finished folder holds, for people."""
    count = sum(len(entry["pictures"]) for entry in manifest["classes"])
    flagged = f", {manifest['flagged']:,} flagged and drawn again" if manifest["flagged"] else ""
    held = f"{count:,} of {counted(len(manifest['classes']), 'class')}{flagged}"
    return f"pictures {path} ({held})\nmanifest {path / NAME}"


def draw_all(
    folder: SynthesisFolder, prepared: Prepared, mine: Sequence[Batch], display: SynthesisDisplay
) -> list[Lost]:
    """Draw this process's batches and keep each when it is whole; gives back what was flagged in every try."""
    request, lost = prepared.request, []
    with stoppable() as stop:
        for batch in mine:
            subject = prepared.subjects[batch.subject]
            drawn = fitting(lambda: draw(prepared.painter, subject, batch.number, request, prepared.size), request)
            if drawn.lost:
                lost += [(batch.subject, place, subject.name) for place in drawn.lost]
            else:
                folder.keep(batch.subject, batch.number, subject.folder, drawn.pictures)
            display.drawn(len(drawn.pictures), drawn.flagged)
            if stop.asked:
                raise Interrupted
    return lost


def fitting(draw_batch: Callable[[], Any], request: Request) -> Any:
    """A batch, or the sentence for one that the device cannot hold."""
    try:
        return draw_batch()
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"a batch of {request.batch} does not fit into the device's memory; give a smaller --batch, or --precision fp16."
        ) from error


def refuse_lost(lost: Sequence[Lost], request: Request, path: Path) -> None:
    """Fail where pictures were flagged in every try; all other batches are kept."""
    if not lost:
        return
    _, place, name = min(lost)
    more = f", and so were {len(lost) - 1} more" if len(lost) > 1 else ""
    raise RunError(
        f'picture {place} of the class "{name}" was flagged by the safety checker in {request.retries + 1} of {request.retries + 1} tries{more}; all other '
        f"batches are kept in {path}, and the same command goes on with a larger --retries (or draw into a new folder with "
        "another prompt, or with --no-safety-checker)."
    )
