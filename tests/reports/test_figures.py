"""Charts and what is drawn in them."""

import math
import re
from types import SimpleNamespace

from palimpsest.reports.comparison import Cell
from palimpsest.reports.figures import Line, line_chart, lonely, point_chart
from palimpsest.reports.numbers import amount
from palimpsest.reports.section_training import loss_lines


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_small_numbers_stand_at_an_axis_as_they_are():
    points = tuple((float(step), Cell(0.05 * 10**-step, None, 1)) for step in range(3))
    chart = line_chart([Line("loss", 0, points)], "a chart", x="step", logarithmic=True, whole=False).text
    assert {"0.005", "0.001"} <= set(texts(chart))
    assert "0.00" not in texts(chart)
    assert not re.search(r'points="[^"]*\d\.\d{3}', chart), "places are rounded all the same"


def test_a_loss_is_broken_where_a_task_ends_or_another_phase_lies_between():
    events = [
        {"task": task, "phase": phase, "step": step, "losses": {name: 1.0}}
        for task in (1, 2)
        for phase, name in ((0, "label"), (1, "noise"))
        for step in (1, 2)
    ]
    terms, bounds = loss_lines(SimpleNamespace(said=lambda kind: iter(events)))
    assert bounds == [4.0]
    assert [place for place, _ in terms["label"]] == [1, 2, 4, 5, 6]
    assert [math.isnan(loss) for _, loss in terms["label"]] == [False, False, True, False, False]
    assert [place for place, _ in terms["noise"]] == [3, 4, 6, 7, 8]


def test_a_point_that_stands_alone_in_its_line_is_seen():
    """As a loss that was written down once a task; a line of two points needs no markers."""
    cells = [Cell(value, None, 1) for value in (1.0, math.nan, 2.0, 3.0, math.nan, 4.0)]
    line = Line("loss", 0, tuple((float(place), each) for place, each in enumerate(cells)))
    chart = line_chart([line], "a chart", x="step", logarithmic=True, whole=False).text
    assert lonely([each.mean for each in cells]) == [0, 5]
    assert len(re.findall(r'<use [^>]*style="fill: var\(--s', chart)) == 2


def test_points_lie_where_their_logarithms_say_and_have_their_error_as_a_bar():
    points = [
        Line(f"{passes}", place, ((passes, Cell(10.0, 2.0 * place, 3)),))
        for place, passes in enumerate((1e5, 2e5, 4e5))
    ]
    chart = point_chart(points, "a chart", x="passes", text=amount, size=(5, 3)).text
    assert {"100k", "200k"} <= set(texts(chart))
    places = [float(x) for x in re.findall(r'<use [^>]*x="([\d.]+)"[^>]*style="fill: var\(--s', chart)]
    assert len(places) == 3 and abs(places[1] - places[0] - (places[2] - places[1])) < 0.05
    assert len(re.findall(r'd="M ([\d.]+) [\d.]+\s*L \1 [\d.]+\s*" clip-path', chart)) == 2, (
        "the point without error has no bar"
    )
