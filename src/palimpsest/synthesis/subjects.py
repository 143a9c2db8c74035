"""What is going to be drawn: classes, each with its name, its folder and its prompt."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from palimpsest.core.errors import RequestError, unknown


@dataclass(frozen=True)
class Subject:
    """One class. class_id: its number, from 0.  wnid: its WordNet synset, such as "n02363005", or "".

    prompt, negative_prompt: what a text-to-image model is told; "" for a model that is told of class numbers.
    """

    class_id: int
    name: str
    wnid: str = ""
    definition: str = ""
    prompt: str = ""
    negative_prompt: str = ""

    @property
    def folder(self) -> str:
        """The name of its sub-folder: the wnid where there is one, else the name without spaces and slashes."""
        return self.wnid or re.sub(r"[\s/\\:]+", "_", self.name.strip())


def check_subjects(subjects: Sequence[Subject], place: str) -> None:
    """Refuse classes that are there twice, or whose folders cannot be told apart. place: where they come from."""
    for what, of in (
        ("class_id", lambda subject: subject.class_id),
        ("name", lambda subject: subject.name),
        ("sub-folder name", lambda subject: subject.folder.casefold()),
        ("prompt", lambda subject: subject.prompt or subject.class_id),
    ):
        seen: dict[object, Subject] = {}
        for subject in subjects:
            if (first := seen.setdefault(of(subject), subject)) is not subject:
                raise RequestError(
                    f'{place} gives the {what} "{of(subject)}" twice, to class {first.class_id} ({first.name}) and to class '
                    f"{subject.class_id} ({subject.name}); every class has its own."
                )
    if bad := [subject for subject in subjects if subject.folder.startswith(".")]:
        raise RequestError(f'{place} names a class "{bad[0].name}", which cannot be the name of a folder; rename it.')


def chosen(subjects: Sequence[Subject], asked: Sequence[str], place: str) -> tuple[Subject, ...]:
    """Those of the classes that are asked for, by name, wnid or number, in the order of their numbers; all where none is.

    Raises RequestError for one that is not there.
    """
    by_word = {
        word: subject
        for subject in subjects
        for word in (str(subject.class_id), subject.wnid, subject.folder, subject.name)
    }
    for word in asked:
        if not word or word not in by_word:
            raise unknown(f"class of {place}", word, [subject.name for subject in subjects])
    wanted = {by_word[word].class_id for word in asked}
    found = [subject for subject in subjects if not asked or subject.class_id in wanted]
    return tuple(sorted(found, key=lambda subject: subject.class_id))
