"""A row for every finished run of a study's folders: each_run.py OUT.csv RUNS/EXPERIMENT..."""

import csv
import json
import sys
from pathlib import Path

MEASURES = ("last_accuracy", "average_incremental_accuracy", "fid", "fid_long")


def rows(folder: Path) -> list[list]:
    """Those of one folder. Runs are called as the study named them, by what sets them apart."""
    found = []
    for place in sorted(folder.glob("*/results.json")):
        results = json.loads(place.read_text())
        if results["finished"]:
            cost, (name, _, seed) = results["cost"], place.parent.name.rpartition("-seed")
            measures = [rounded(results["final"].get(measure)) for measure in MEASURES]
            found.append([folder.name, name, seed, *measures, cost["student_passes"] + cost["teacher_passes"]])
    return found


def rounded(value: float | None) -> str:
    """Four digits, nothing for what was not measured."""
    return "" if value is None else f"{value:.4g}"


def main(out: str, *folders: str) -> None:
    with open(out, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["experiment", "run", "seed", *MEASURES, "passes"])
        for folder in folders:
            table.writerows(rows(Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
