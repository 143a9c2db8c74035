"""Prompts: a table with one row a class, and the sentence that a template makes of it."""

import csv
import json
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from palimpsest.core.errors import RequestError, unknown
from palimpsest.synthesis.subjects import Subject, check_subjects
from palimpsest.synthesis.wordnet import WNID, folder_of, noun

READY = Path(__file__).parent / "prompts"
COLUMNS = ("class_id", "name", "definition", "wnid", "prompt", "negative_prompt")
NEEDED = ("class_id", "name")
TEMPLATE = "{name}, {definition}"
FIELDS = ("name", "definition")


def read_subjects(place: str, template: str = TEMPLATE, negative: str = "", wordnet: str = "") -> tuple[Subject, ...]:
    """The classes of a prompt file, each with its prompt, by number.

    place: a CSV or JSONL file, UTF-8, with the columns COLUMNS, or the name of a file that is included ("cifar100").
    template: makes a prompt of {name} and {definition}; a row's own `prompt` goes before it.
    negative: for rows without a `negative_prompt`.  wordnet: a folder of WordNet 3.0 for rows without a definition, or "installed".
    Raises RequestError for whatever is wrong with the file or the template.
    """
    check_template(template)
    rows = read_rows(find(place))
    if not rows:
        raise RequestError(f"{place} has no classes; give one row a class, with the columns {', '.join(COLUMNS)}.")
    if wordnet and not any(row.get("wnid") for _, row in rows):
        raise RequestError(f"--wordnet looks nouns up by their wnid, and {place} has none; add the column wnid, or leave --wordnet out.")
    subjects = [subject_of(row, f"{place}, row {number}", template, negative, wordnet) for number, row in rows]
    check_subjects(subjects, place)
    return tuple(sorted(subjects, key=lambda subject: subject.class_id))


def find(place: str) -> Path:
    """The prompt file that is meant."""
    if Path(place).is_file():
        return Path(place)
    ready = {path.stem: path for path in READY.glob("*.csv")}
    if place in ready:
        return ready[place]
    raise RequestError(f"--prompts is no file, and {unknown('ready-made prompts', place, ready)}")


def read_rows(path: Path) -> list[tuple[int, Mapping[str, str]]]:
    """Rows with their numbers, the first row of values being 1. Values are text without space around it, "" where absent."""
    kinds = {".csv": from_csv, ".jsonl": from_jsonl}
    if path.suffix.lower() not in kinds:
        raise RequestError(f"{path} is not a prompt file by its name; legal endings: {', '.join(kinds)}.")
    try:
        table = kinds[path.suffix.lower()](path.read_text(encoding="utf-8-sig"))
    except csv.Error as error:
        raise RequestError(f"{path} is not a table of comma-separated values ({error}); close its quotation marks.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"{path} cannot be read as UTF-8 text ({error}); save it as {path.suffix} in UTF-8."
        ) from error
    except ValueError as error:
        raise RequestError(
            f"{path}, {error}; legal: one JSON object a line, with text or numbers as values."
        ) from error
    for number, row in table:
        for column in row:
            if separators := [sign for sign in ";\t" if sign in str(column)]:
                raise RequestError(f"{path} has columns with {separators[0]!r} between them; save it with commas.")
            if column not in COLUMNS:
                raise unknown(f"column of {path}", str(column), COLUMNS)
        if missing := [column for column in NEEDED if not row.get(column) and not (column == "name" and row.get("wnid"))]:
            raise RequestError(f"{path}, row {number} has no {missing[0]}; each row has {' and '.join(NEEDED)}.")
    return table


def from_csv(text: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of comma-separated values with a header."""
    reader = csv.DictReader(StringIO(text), restkey="a column without a name", strict=True)
    rows = [{column: trimmed(value) for column, value in row.items()} for row in reader]
    return list(enumerate(rows, start=1))


def from_jsonl(text: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of one JSON object a line; empty lines are left out."""
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            rows.append((number, from_json(line, number)))
    return rows


def from_json(line: str, number: int) -> dict[str, str]:
    """One row. Raises ValueError with the end of a sentence."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is not JSON ({error})") from error
    if not isinstance(row, dict) or any(not isinstance(value, (str, int, type(None))) for value in row.values()):
        raise ValueError(f"line {number} is not an object of texts and numbers")
    return {column: trimmed(value) for column, value in row.items()}


def trimmed(value: object) -> str:
    """A value as text."""
    return "" if value is None else str(value).strip()


def subject_of(row: Mapping[str, str], place: str, template: str, negative: str, wordnet: str) -> Subject:
    """One row as a class with its prompt."""
    wnid = row.get("wnid", "")
    if not re.fullmatch("[0-9]{1,9}", row["class_id"]):
        raise RequestError(f'{place} has the class_id "{row["class_id"]}", and it is a whole number from 0.')
    if wnid and not WNID.fullmatch(wnid):
        raise RequestError(f'{place} has the wnid "{wnid}", and one is an n and eight digits, such as n02363005.')
    name, definition = row.get("name", ""), row.get("definition", "")
    if not name and not wordnet:
        raise RequestError(f"{place} has no name; give it one, or take those of its wnid with --wordnet.")
    if wordnet and wnid and not (name and (definition or row.get("prompt"))):
        first, gloss = noun(wnid, folder_of(wordnet))
        name, definition = name or first, definition or ("" if row.get("prompt") else gloss)
    prompt = row.get("prompt") or in_words(template, name, definition)
    if not prompt:
        raise RequestError(f"{place} comes to an empty prompt; give it a prompt, or a template with {{name}}.")
    own = row.get("negative_prompt") or negative
    return Subject(int(row["class_id"]), name, wnid, definition, prompt, own)


def in_words(template: str, name: str, definition: str) -> str:
    """The prompt of a class. Without a definition, the comma or bracket before it goes, too."""
    if not definition:
        template = re.sub(r"[\s,;:.(\[–—-]*\{definition\}[\])]*", "", template)
    filled = template.replace("{name}", name.replace("_", " "))
    return filled.replace("{definition}", definition.replace("_", " ")).strip()


def check_template(template: str) -> None:
    """Refuse a template that names something else, or nothing."""
    fields = re.findall(r"\{([^{}]*)\}", template)
    for field in fields:
        if field not in FIELDS:
            raise unknown("field of --template", field, FIELDS)
    if not fields:
        raise RequestError(
            f'--template "{template}" is the same for every class; legal: {{name}} and {{definition}} within text.'
        )
