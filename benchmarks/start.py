"""How long the commands take that must answer at once; and, of a run that there is, its page.

python benchmarks/start.py [--rounds 9] [--run RUN]
"""

import argparse
import statistics
import subprocess
import sys
import time

GOALS = {("--help",): 0.5, ("list",): 1.0, ("train", "digits", "--help"): 0.5}
PAGE = 10.0  # of five tasks


def seconds(arguments: tuple[str, ...]) -> float:
    """Of one whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "palimpsest", *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--run", help="a run directory, whose page is written again")
    asked = parser.parse_args()
    for arguments, goal in (GOALS | ({("report", asked.run): PAGE} if asked.run else {})).items():
        seconds(arguments)
        times = [seconds(arguments) for _ in range(asked.rounds)]
        name = " ".join(("palimpsest", *arguments))
        print(f"{name:32} median {statistics.median(times):.2f} s ({min(times):.2f}–{max(times):.2f}), goal {goal} s")


if __name__ == "__main__":
    main()
