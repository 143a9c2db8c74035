"""The synthetic pictures that an experiment asks for, before anything is trained."""

from collections.abc import Sequence

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.pictures import digest
from palimpsest.learning.mixing import Mixing
from palimpsest.runs.config import Experiment
from palimpsest.streams.pictures import Pictures
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
    pictures = held_back(stream) if options.source in ("ideal", "useless") else None
    if pictures is None:
        raise RequestError(f'synthetic.source "{options.source}" is not there yet.')
    check(pictures, stream)
    return Mixing(options, pictures)


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
