"""What `palimpsest estimate` promises, beside what the run then takes.

python benchmarks/estimate.py [digits] [--strategy generative_distillation]
"""

import argparse
import tempfile
import time
from pathlib import Path

import palimpsest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", nargs="?", default="digits")
    parser.add_argument("--strategy", default=None)
    asked = parser.parse_args()
    promised = palimpsest.estimate(asked.experiment, strategy=asked.strategy)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = palimpsest.train(asked.experiment, strategy=asked.strategy, out=Path(folder) / "run")
        taken = time.perf_counter() - began
    cost = run.results["cost"]
    rows = {
        "training seconds": (promised.training_seconds, cost["seconds"]),
        "all seconds": (3600 * promised.hours, taken),
        "student passes": (promised.student_passes, cost["student_passes"]),
        "teacher passes": (promised.teacher_passes, cost["teacher_passes"]),
    }
    for name, (estimate, truth) in rows.items():
        print(f"{name:18} estimated {estimate:12,.0f}  true {truth:12,.0f}  ratio {estimate / truth:.2f}")


if __name__ == "__main__":
    main()
