"""The comparison as LaTeX, ready to paste."""

import re
from collections.abc import Sequence

from palimpsest.evaluation.catalog import LONG, find
from palimpsest.evaluation.headlines import headlines
from palimpsest.reports.comparison import Row, Table, best
from palimpsest.reports.labels import assigned
from palimpsest.reports.numbers import with_error

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
ARROWS = {"lower": r"$\downarrow$", "higher": r"$\uparrow$"}


def to_latex(table: Table) -> str:
    """A booktabs tabular: methods × headline measures, mean ± error, the best finished method of each in bold.

    The table's notes stand above it as comments. A measure that is not listed has no better direction, and no best.
    """
    measures = headlines(table.measures)
    lines = [
        r"% needs \usepackage{booktabs}",
        *(f"% {note}" for note in table.notes),
        rf"\begin{{tabular}}{{l{'r' * len(measures)}}}",
        r"\toprule",
        joined(["method", *map(heading, measures)]),
        r"\midrule",
        *(joined([method(row), *(in_cell(row, name, table.rows) for name in measures)]) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def joined(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def escaped(text: str) -> str:
    """Text in which LaTeX finds nothing to do."""
    return re.sub(r"[\\~^&%$#_{}]", lambda found: ESCAPES[found[0]], text)


def heading(measure: str) -> str:
    """A measure's name, "(long)" for the long sampler's, and an arrow to where it is better."""
    entry = find(measure)
    name = escaped(measure.removesuffix(LONG)) + (" (long)" if measure.endswith(LONG) else "")
    return name + (f" {ARROWS[entry.better]}" if entry and entry.better else "")


def method(row: Row) -> str:
    """A strategy with its options, and how far it is where it is not finished."""
    parts = [row.strategy, *assigned(row.options)]
    return escaped(", ".join(parts) + ("" if row.finished else f" ({row.progress})"))


def in_cell(row: Row, name: str, rows: Sequence[Row]) -> str:
    """A mean with its error in mathematics; a dash where there is none."""
    if name not in row.measures:
        return "--"
    cell = row.measures[name]
    text = with_error(cell.mean, cell.error).replace("±", r"\pm")
    return rf"$\mathbf{{{text}}}$" if row.finished and cell.mean == best(rows, name) else f"${text}$"
