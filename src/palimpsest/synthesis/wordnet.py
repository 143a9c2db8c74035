"""Definitions from WordNet's own files, as Debian's package wordnet-base installs them into /usr/share/wordnet.

A wnid such as n02363005 is a place in data.noun of WordNet 3.0: the line that begins at byte 2363005. The line ends with
"| definition; "example sentence"" (the format is described in wndb(5WN)).
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from palimpsest.core.errors import RequestError

WNID = re.compile(r"n\d{8}")
INSTALLED = "installed"
FIRST = 4  # word of a line that is a noun's first name: after offset, file, kind and the number of names


def noun(wnid: str, folder: Path) -> tuple[str, str]:
    """The first name of a noun, and its definition without example sentences. folder: holds data.noun.

    Raises RequestError where the folder holds no WordNet, or the WordNet no such noun (another version than 3.0).
    """
    try:
        with open(folder / "data.noun", "rb") as file:
            file.seek(int(wnid[1:]))
            line = file.readline().decode("utf-8", "replace")
    except OSError as error:
        raise RequestError(
            f"--wordnet {folder} holds no readable data.noun ({error.strerror}); name the folder of WordNet 3.0's files "
            "(/usr/share/wordnet, where Debian's package wordnet-base is installed), or say installed, and it is looked for."
        ) from error
    if not line.startswith(f"{wnid[1:]} ") or " | " not in line:
        raise RequestError(
            f"the WordNet in {folder} has no noun {wnid}; wnids belong to WordNet 3.0, so give that version's files, or "
            "write a definition."
        )
    words, gloss = line.split(" | ", 1)
    return words.split()[FIRST].replace("_", " "), without_examples(gloss)


def folder_of(wordnet: str) -> Path:
    """The folder that was named, or that of the WordNet that is installed.

    Raises RequestError where none is installed.
    """
    if wordnet != INSTALLED:
        return Path(wordnet)
    places = list(usual_places(os.environ))
    for place in places:
        if (place / "data.noun").is_file():
            return place
    raise RequestError(
        f"--wordnet is installed, and no data.noun lies in {', '.join(map(str, places))}; install Debian's package wordnet-base, or "
        "name the folder of WordNet 3.0's files."
    )


def usual_places(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where WordNet's files are installed: by its own variables (wnintro(5WN)), by Debian, and by NLTK's downloader, unpacked."""
    if own := environment.get("WNSEARCHDIR"):
        yield Path(own)
    if home := environment.get("WNHOME"):
        yield Path(home) / "dict"
    yield Path("/usr/share/wordnet")
    for place in filter(None, environment.get("NLTK_DATA", "").split(os.pathsep)):
        yield Path(place) / "corpora" / "wordnet"
    yield Path.home() / "nltk_data" / "corpora" / "wordnet"


def without_examples(gloss: str) -> str:
    """A gloss up to its first example sentence, which stands in quotation marks behind a semicolon."""
    return re.split(r';\s*"', gloss)[0].strip().rstrip(";").strip()
