"""HTML from functions: every text is escaped unless it is markup already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from palimpsest.evaluation.catalog import LONG, find

VOID = {"img", "meta"}
ABBREVIATIONS = {"fid": "FID", "kid": "KID", "kld": "KLD"}
ABSENT = "–"
ERROR = "_se"  # a standard error that a measure has in each run, which is no measure itself


@dataclass(frozen=True)
class Markup:
    """Text that is HTML."""

    text: str


Content = Markup | str | None


@dataclass(frozen=True)
class Section:
    """A part of the page: the fragment of its address, its heading, what stands in it."""

    id: str
    heading: str
    body: tuple[Content, ...]


def tag(name: str, /, *children: Content, **attributes: str | bool | None) -> Markup:
    """An element. `class_` is written class, `aria_label` aria-label; an attribute that is None or False is left out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{written}>" + ("" if name in VOID else f"{join(children).text}</{name}>"))


def join(children: Iterable[Content]) -> Markup:
    """Contents one after the other; plain text is escaped."""
    return Markup("".join(child.text if isinstance(child, Markup) else escape(child) for child in children if child))


def figure(content: Content, caption: Content, class_: str | None = None) -> Markup:
    """Content below its caption. What the content shows must be said in it: an alternative text, or a table."""
    return tag("figure", tag("figcaption", caption), content, class_=class_)


def scroll(content: Content, label: str) -> Markup:
    """A region of its own for what may be wider than the window; the keyboard can reach and scroll it."""
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def details(summary: Content, *content: Content) -> Markup:
    return tag("details", tag("summary", summary), *content)


def grid(*content: Content, class_: str = "grid") -> Markup:
    return tag("div", *content, class_=class_)


def table(headings: Sequence[Content], rows: Iterable[Sequence[Content]], caption: Content = None) -> Markup:
    """A table whose first column names its rows. A cell that is a whole element <td> or <th> is taken as it is."""
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    return tag(
        "table",
        tag("caption", caption) if caption else None,
        tag("thead", head),
        tag("tbody", *(table_row(cells) for cells in rows)),
    )


def table_row(cells: Sequence[Content]) -> Markup:
    first, *others = cells
    return tag("tr", as_cell(first, "th", scope="row"), *(as_cell(cell, "td") for cell in others))


def as_cell(content: Content, name: str, **attributes: str) -> Markup:
    if isinstance(content, Markup) and content.text.startswith(("<td", "<th")):
        return content
    return tag(name, content, **attributes)


def hidden(text: str) -> Markup:
    """Said to those who listen, not shown."""
    return tag("span", text, class_="hidden")


def title(measure: str) -> str:
    """A measure's name as a heading: "FID", "Total variation"."""
    name = measure.removesuffix(LONG)
    if name.endswith(ERROR):
        return f"{title(name.removesuffix(ERROR))}, standard error"
    return ABBREVIATIONS.get(name) or name.replace("_", " ").capitalize()


def arrow(measure: str) -> Markup:
    """Which way a measure is better, as an arrow and in words; nothing for a measure that the catalog does not list."""
    entry = find(measure)
    if not entry or not entry.better:
        return Markup("")
    return tag("span", tag("span", entry.arrow, aria_hidden="true"), hidden(f" ({entry.direction})"), class_="arrow")


def short(value: float) -> str:
    """Three digits, for a cell of a heat map: 0.97, 48.4, 1312, 0.0012."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"
