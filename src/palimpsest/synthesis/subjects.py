"""What is going to be drawn: classes, each with its name, its folder and its prompt."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from palimpsest.core.errors import RequestError, unknown
from palimpsest.core.words import few
from palimpsest.streams.recorded import key_of


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
    """Refuse classes that are there twice, or whose folders cannot be told apart. place: where they come from.

    Two may have one name, such as the bird and the machine that are called crane, where their wnids tell them apart.
    """
    for what, of in (
        ("class_id", lambda subject: subject.class_id),
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

    A name need not be spelt with the same signs: "T - shirt / top" is "T-shirt/top". Raises RequestError for one that is not there.
    """
    known, names = words_of(subjects), Counter(subject.name for subject in subjects)
    if twice := [word for word in asked if names[word] > 1]:
        several = ", ".join(subject.wnid for subject in subjects if subject.name == twice[0])
        raise RequestError(
            f'{place} has {names[twice[0]]} classes called "{twice[0]}"; ask for them by wnid: {several}.'
        )
    by_word = {word: (known.get(word) or known.get(key_of(word))) if word else None for word in asked}
    missing, legal = [word for word in asked if by_word[word] is None], [subject.name for subject in subjects]
    if len(missing) > 1:
        raise RequestError(
            f"{place} lacks {len(missing)} of the {len(asked)} classes that were asked for ({few(missing)}). Legal: {few(legal, 20)}."
        )
    if missing:
        raise unknown(f"class of {place}", missing[0], legal)
    wanted = {subject.class_id for subject in by_word.values() if subject}
    found = [subject for subject in subjects if not asked or subject.class_id in wanted]
    return tuple(sorted(found, key=lambda subject: subject.class_id))


def words_of(subjects: Sequence[Subject]) -> dict[str, Subject]:
    """The classes by what they go by; where a word is one's name and another's number, it is the name, and of several's name none."""
    keys, names = (Counter(of(subject.name) for subject in subjects) for of in (key_of, str))
    known = {key: subject for subject in subjects if keys[key := key_of(subject.name)] == 1}
    for word_of in (
        lambda subject: str(subject.class_id),
        lambda subject: subject.wnid,
        lambda subject: subject.folder,
    ):
        known |= {word_of(subject): subject for subject in subjects}
    return known | {subject.name: subject for subject in subjects if names[subject.name] == 1}
