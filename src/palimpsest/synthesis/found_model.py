"""Where a model lies, and what its folder says before any weights are read."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from palimpsest.core.errors import RequestError
from palimpsest.core.libraries import quietly, shortened
from palimpsest.synthesis.painter import digest_of
from palimpsest.synthesis.subjects import Subject

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")
ENDLESS = 100_000  # tokens: what a tokenizer says that cuts nothing


@dataclass(frozen=True)
class FoundModel:
    """A pipeline folder. name: the folder's own name, or that on the hub.  revision: the hub's commit, or "".

    index: what model_index.json says.
    """

    place: Path
    name: str
    revision: str
    index: Mapping[str, Any]

    @property
    def about(self) -> dict[str, str]:
        """What the manifest says of it."""
        return {"name": self.name, "revision": self.revision, "digest": digest_of(self.place)}

    @property
    def draws_from_text(self) -> bool:
        """Whether it has a tokenizer."""
        return any(part.startswith("tokenizer") and kind[0] for part, kind in self.parts)

    @property
    def parts(self) -> list[tuple[str, Sequence[str | None]]]:
        """The parts of the pipeline with [library, class]."""
        return [(part, kind) for part, kind in self.index.items() if isinstance(kind, list) and len(kind) == 2]

    def check_lengths(self, subjects: Sequence[Subject]) -> None:
        """Refuse prompts that one of the tokenizers would cut, with the class and its count of tokens."""
        for tokenizer in self.tokenizers():
            most = tokenizer.model_max_length
            for subject in subjects if most < ENDLESS else ():
                for what in ("prompt", "negative_prompt"):
                    count = len(tokenizer(getattr(subject, what)).input_ids)
                    if count > most:
                        raise RequestError(
                            f'the {what.replace("_", " ")} of the class "{subject.name}" comes to {count} tokens, and '
                            f"{self.name} reads {most} (with the marks of beginning and end) and would cut the rest; "
                            "shorten its definition or prompt, or the template."
                        )

    def tokenizers(self) -> Iterator[Any]:
        """Those of the pipeline."""
        import transformers

        for part, (library, kind) in self.parts:
            if part.startswith("tokenizer") and library == "transformers":
                with quietly():
                    try:
                        yield getattr(transformers, kind).from_pretrained(self.place / part)
                    except Exception as error:  # of the tokenizer's own parser
                        raise RequestError(
                            f"the {part} of {self.name} cannot be opened ({shortened(error)})."
                        ) from error


def find_model(model: str, revision: str) -> FoundModel:
    """The model in a folder, or of a name on the hub, which is fetched where it is not in the hub's cache yet.

    Raises RequestError where there is none, saying what to fetch.
    """
    place = Path(model).expanduser()
    if place.is_dir():
        if revision:
            raise RequestError(
                f"--revision {revision} was given, and {model} is a folder, not a model of the hub; leave it out."
            )
        return opened(place, place.resolve().name, "")
    if not HUB_NAME.fullmatch(model):
        raise RequestError(
            f'there is no folder "{model}", and it is no name on the hub either; give the folder of a model, or owner/name.'
        )
    check_extra(model)
    snapshot = fetched(model, revision)
    commit = snapshot.name if COMMIT.fullmatch(snapshot.name) else revision
    return opened(snapshot, model, commit)


def opened(place: Path, name: str, revision: str) -> FoundModel:
    """What is in a folder."""
    try:
        index = json.loads((place / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(
            f"{place} holds no model (no readable model_index.json); give the folder of a diffusers pipeline, or a run."
        ) from error
    return FoundModel(place, name, revision, index)


def check_extra(model: str) -> None:
    """Refuse where the package is missing that reads text."""
    if find_spec("transformers") is None:
        raise RequestError(
            f"{model} draws from text, which needs the package `transformers`, and it is not installed; "
            "pip install 'palimpsest[text-to-image]'."
        )


def fetched(model: str, revision: str) -> Path:
    """The folder of a model of the hub, fetched where it is not there yet."""
    import diffusers

    try:
        asked = {"revision": revision} if revision else {}
        with quietly(bars=True):
            return Path(diffusers.DiffusionPipeline.download(model, use_safetensors=True, **asked))
    except Exception as error:  # missing, gated, no network: each raises its own
        at = f" --revision {revision}" if revision else ""
        raise RequestError(
            f"the model {model} is not on this machine, and the hub did not give it ({shortened(error)}); where there "
            f"is a network, `hf download {model}{at} --local-dir FOLDER` fetches it, and then give FOLDER as the model."
        ) from error
