"""Charts as SVG that takes the page's colours, drawn by matplotlib without a window."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from zlib import crc32

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from palimpsest.reports.comparison import Cell
from palimpsest.reports.markup import Markup, tag

INK, RULE = "#010101", "#020202"  # stand for colours of the page, whatever they are when it is looked at
SERIES = tuple(f"#0a0b{place:02x}" for place in range(8))
DASHES = ((), (6, 2), (2, 1.5), (7, 2, 1.5, 2), (4, 1.5), (1, 1.2), (9, 3), (5, 1.5, 1.5, 1.5, 1.5, 1.5))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
SHAPES = (
    "M13 8a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", "M13.500 4.500h7v7h-7z", "M17 3.500l4.500 8h-9z", "M17 3l5 5-5 5-5-5z",
    "M17 12.500l4.500-8h-9z", "M15.500 3.500h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "M14 3.500l3 3 3-3 1.500 1.500-3 3 3 3-1.500 1.500-3-3-3 3-1.500-1.500 3-3-3-3z", "M17 3l4.300 2.500v5l-4.300 2.500-4.300-2.500v-5z",
)  # fmt: skip
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "palimpsest", "font.size": 9, "axes.linewidth": 0.8}


@dataclass(frozen=True)
class Line:
    """A line with a band of ± its standard errors; of one point alone, with a bar. place: from 0, decides colour, dashes and marker."""

    name: str
    place: int
    points: tuple[tuple[float, Cell], ...]


def line_chart(
    lines: Sequence[Line],
    alternative: str,
    *,
    x: str,
    size: tuple[float, float] = (3.4, 2.3),
    logarithmic: bool = False,
    whole: bool = True,
    bounds: Sequence[float] = (),
    expected: float | None = None,
) -> Markup:
    """An SVG of some lines.

    alternative: what it shows, in words and numbers.  size: inches.  whole: x counts, and each point has a marker.
    bounds: where upright rules stand.  expected: where a level rule stands.
    """
    with rc_context(STYLE):
        axes = empty(size)
        dress(axes, x, logarithmic, whole)
        for bound in bounds:
            axes.axvline(bound, color=RULE, linewidth=1)
        if expected is not None:
            axes.axhline(expected, color=INK, linewidth=0.8, dashes=(2, 2), alpha=0.6)
        for line in lines:
            draw(axes, line, markers=whole)
        return written(axes, alternative)


def point_chart(
    points: Sequence[Line],
    alternative: str,
    *,
    x: str,
    text: Callable[[float], str],
    size: tuple[float, float],
) -> Markup:
    """An SVG of points, each a line of one, on two logarithmic axes; everything has to be above 0.

    alternative: what it shows, in words and numbers.  text: how numbers are written at the axis of x.  size: inches.
    """
    with rc_context(STYLE):
        axes = empty(size)
        dress(axes, x, logarithmic=True, whole=False)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.xaxis.set_major_formatter(lambda value, _: text(value))
        axes.margins(0.08)
        axes.minorticks_off()
        for point in points:
            draw(axes, point, markers=True)
        return written(axes, alternative)


def empty(size: tuple[float, float]) -> Axes:
    """The axes of a new drawing of so many inches."""
    drawing = Figure(figsize=size, layout="constrained")
    FigureCanvasSVG(drawing)
    return drawing.add_subplot()


def written(axes: Axes, alternative: str) -> Markup:
    """The drawing that the axes are in."""
    text = StringIO()
    axes.figure.canvas.print_svg(text, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return inline(text.getvalue(), alternative)


def dress(axes: Axes, x: str, logarithmic: bool, whole: bool) -> None:
    """Axes that stay behind what they measure."""
    drawing = axes.figure
    drawing.patch.set_visible(False)
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0, labelsize=9)
    axes.set_xlabel(x, color=INK)
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    if whole:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=9))


def draw(axes: Axes, line: Line, markers: bool) -> None:
    """One line, its markers, its band; a style comes again after eight, with another marker."""
    colour = SERIES[line.place % len(SERIES)]
    places, cells = [place for place, _ in line.points], [each for _, each in line.points]
    if len(cells) == 1 and cells[0].error:
        axes.errorbar(places, cells[0].mean, cells[0].error, color=colour, linewidth=1.2)
    elif any(each.error for each in cells):
        low = [each.mean - (each.error or 0) for each in cells]
        high = [each.mean + (each.error or 0) for each in cells]
        axes.fill_between(places, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(
        places,
        [each.mean for each in cells],
        color=colour,
        linewidth=1.7,
        dashes=DASHES[line.place % len(DASHES)] or (None, None),
        marker=MARKERS[marker_of(line.place)],
        markevery=None if markers else lonely([each.mean for each in cells]),
        markersize=5,
    )


def lonely(values: Sequence[float]) -> list[int]:
    """The places of numbers between what is none, which no line would show."""
    there = [False, *map(math.isfinite, values), False]
    return [place for place in range(len(values)) if there[place + 1] and not (there[place] or there[place + 2])]


def marker_of(place: int) -> int:
    return (place + place // len(SERIES)) % len(MARKERS)


def inline(svg: str, alternative: str) -> Markup:
    """The SVG for use within HTML: no header, no size, no ids but those that are used, the page's colours and font."""
    box = re.search(r'viewBox="([^"]+)"', svg)[1]
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL).replace("xlink:href", "href")
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    body = re.sub(r"<[^>]*>", lambda found: re.sub(r"(\d+\.\d\d)\d+", r"\1", found[0]), body)  # places, and not words
    for sentinel, name in ((INK, "ink-soft"), (RULE, "rule"), *((each, f"s{n}") for n, each in enumerate(SERIES))):
        body = body.replace(sentinel, f"var(--{name})")
    return tag("svg", Markup(own_ids(body)), role="img", aria_label=alternative, class_="chart", viewBox=box)


def own_ids(body: str) -> str:
    """Ids that no other figure on the page has; those that nothing refers to are dropped."""
    used, own = set(re.findall(r'#([\w-]+)[")]', body)), f"{crc32(body.encode()):08x}"
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{own}-{found[1]}"' if found[1] in used else "", body)
    return re.sub(r'#([\w-]+)(?=[")])', rf"#{own}-\1", body)


def legend(lines: Sequence[Line], markers: bool = True) -> Markup:
    """The names of lines, each behind a piece of it."""
    return tag("ul", *(tag("li", swatch(line.place, markers), line.name) for line in lines), class_="legend")


def swatch(place: int, markers: bool = True) -> Markup:
    """A piece of a line with its colour, dashes and marker."""
    style = place % len(SERIES)
    dashes = " ".join(str(1.7 * part) for part in DASHES[style]) or None
    stroke = f"stroke:var(--s{style});stroke-width:2"
    line = tag("line", x1="1", y1="8", x2="33", y2="8", style=stroke, stroke_dasharray=dashes)
    shape = tag("path", d=SHAPES[marker_of(place)], style=f"fill:var(--s{style})") if markers else None
    return tag("svg", line, shape, viewBox="0 0 34 16", class_="swatch", aria_hidden="true")
