"""The synthetic pictures that an experiment asks for, before anything is trained."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from palimpsest.core.errors import RequestError
from palimpsest.core.files import cache_root, make_place
from palimpsest.evaluation.pictures import digest
from palimpsest.learning.mixing import Mixing
from palimpsest.learning.options import SyntheticOptions
from palimpsest.learning.past import Past
from palimpsest.runs.config import Experiment
from palimpsest.runs.synthesizing import synthesize
from palimpsest.runs.yardstick import Yardstick
from palimpsest.streams.pictures import Pictures
from palimpsest.streams.recorded import open_recorded
from palimpsest.streams.stream import Stream

CLASSIFIERS = {"classifier", "cosine_classifier"}


def mixing_of(experiment: Experiment, stream: Stream, learners: Sequence[str], keeps: frozenset[str]) -> Mixing | None:
    """How synthetic pictures come beside real ones; None where none are asked for.

    Raises RequestError for learners that are no classifiers, and where pictures of a class that will be past are missing.
    """
    options = experiment.synthetic
    if options.source == "none":
        return None
    if not set(learners) <= CLASSIFIERS:
        raise RequestError(
            f"synthetic pictures are for classifiers, and strategy {experiment.strategy.name} trains the {', '.join(learners)}; choose "
            "one that trains a classifier, such as lucir or icarl, or set synthetic.source to none."
        )
    if options.source == "memory":
        if "memory" not in keeps:
            raise RequestError(
                f'synthetic.source is "memory", and strategy {experiment.strategy.name} keeps none; choose one that does, such as lucir.'
            )
        return Mixing(options)
    pictures = held_back(stream) if options.source in ("ideal", "useless") else recorded(options, stream)
    check(pictures, stream)
    return Mixing(options, pictures)


def recorded(options: SyntheticOptions, stream: Stream) -> Pictures:
    """Pictures in a folder, of the classes that will be past; drawn into one first where a model is named."""
    names = {number: stream.class_names[number] for number in stream.seen(len(stream) - 1)}
    folder = Path(options.path) if options.source == "recorded" else drawn(options, names)
    device = stream.train.device
    return open_recorded(folder, names, stream.shape, options.per_class, white=stream.train.white, device=device)


def drawn(options: SyntheticOptions, names: Mapping[int, str]) -> Path:
    """The folder of the cache in which a model's pictures of these classes are, drawn now as far as they are missing."""
    asked = {"count": options.per_class, "prompts": options.prompts or None}
    if options.source == "generator":
        asked["classes"] = tuple(names.values())
    name = hashlib.blake2b(
        repr((str(Path(options.path).resolve()), sorted(asked.items()))).encode(), digest_size=8
    ).hexdigest()
    folder = cache_root() / "synthetic" / name
    make_place(folder.parent)
    synthesize(options.path, out=folder, **{key: value for key, value in asked.items() if value})
    return folder


def held_back(stream: Stream) -> Pictures:
    """Real pictures that no run of a study learns from."""
    if stream.held_back is None or not len(stream.held_back):
        raise RequestError(
            "ideal and useless pictures are real ones that no task has, and none were held back; set stream.held_back, for example 0.3."
        )
    return stream.held_back


def check(pictures: Pictures, stream: Stream) -> None:
    """Refuse pictures that lack a class which will be past."""
    there, needed = set(pictures.labels.tolist()), stream.seen(len(stream) - 1)
    if missing := [stream.class_names[number] for number in needed if number not in there]:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise RequestError(
            f"there are no synthetic pictures of {', '.join(missing[:5])}{more}; each class but the last task's needs some."
        )


def digest_of(mixing: Mixing | None) -> str:
    """A name for the pictures' content; "" where there are none."""
    return digest(mixing.pictures) if mixing is not None and mixing.pictures is not None else ""


def gap_of(mixing: Mixing | None, past: Past, yardstick: Yardstick) -> dict[str, dict]:
    """How far the synthetic pictures of past classes are from real ones; nothing where there are none, or nothing is measured."""
    if mixing is None or not past.classes:
        return {}
    gap = yardstick.gap(mixing.of_past(past), tuple(dict.fromkeys(past.classes)))
    return {"synthetic": {"source": mixing.options.source, **gap}} if gap else {}
