"""What a study ends with: the table of its runs, and their page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from palimpsest.reports.comparison import compare
from palimpsest.reports.published import compare_published, render_published
from palimpsest.reports.results import load_results
from palimpsest.reports.table import Shown, render

PAGE = "report.html"


def conclude(
    runs: Sequence[Path],
    folder: Path,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    published: Mapping[str, Any] | None = None,
    said: Sequence[str] = (),
) -> Shown:
    """Write FOLDER/report.html about some finished runs, and give their comparison as a rich renderable.

    published: as `published.compare_published` takes it; the table is then ours beside the paper's.
    defaults: as `comparison.compare` takes them.  said: notes that stand first among the table's own. Raises RequestError for runs that must not stand in one table.
    """
    from palimpsest.reports.page import write_report  # draws figures, which takes a moment to import

    results = [load_results(run) for run in runs]
    if published:
        table = render_published(compare_published(results, published, defaults))
    else:
        table = render(compare(results, defaults).with_notes(said))
    write_report(runs, folder / PAGE, defaults=defaults, said=said, force=True)
    return table
