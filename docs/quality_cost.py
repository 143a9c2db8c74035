"""Quality against cost on Fashion-MNIST small: a point a method, from docs/studies/fashion_mnist_small.csv.

python docs/quality_cost.py docs/quality_cost.png
"""

import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

POINTS = Path(__file__).parent / "studies" / "fashion_mnist_small.csv"
SEED = "42"  # which all methods have
LOOKS = {"nothing": ("#888888", "v"), "importance": ("#7a4fa3", "P"), "teacher": ("#1f6fb4", "o"), "memory": ("#c2571a", "s"), "everything": ("#2b8a3e", "D")}
SIDES = {"right": (7, -3, "left"), "left": (-7, -3, "right"), "above": (0, 7, "center"), "below": (0, -14, "center")}


def main(out: str) -> None:
    with POINTS.open() as file:
        rows = [row for row in csv.DictReader(file) if row["seed"] == SEED]
    figure, axes = plt.subplots(figsize=(8.2, 4.6))
    for kept, (colour, marker) in LOOKS.items():
        mine = [row for row in rows if row["remembers"] == kept]
        passes, fids = ([float(row[name]) for row in mine] for name in ("passes", "fid_long"))
        axes.scatter([p / 1000 for p in passes], fids, color=colour, marker=marker, s=42, label=kept, zorder=3)
        for row, p, fid in zip(mine, passes, fids, strict=True):
            *place, align = SIDES[row["side"]]
            axes.annotate(row["method"], (p / 1000, fid), place, textcoords="offset points", ha=align, fontsize=8.5)
    axes.set(xscale="log", yscale="log", xlim=(150, 1100), ylim=(48, 520))
    axes.set_xticks([200, 300, 400, 500, 700, 1000], ["200k", "300k", "400k", "500k", "700k", "1M"])
    axes.set_yticks([50, 75, 100, 150, 200, 300, 400], ["50", "75", "100", "150", "200", "300", "400"])
    axes.minorticks_off()
    axes.set_xlabel("passes of student and teacher, whole run")
    axes.set_ylabel("FID after the last task, DDIM-50")
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.legend(title="may remember", fontsize=8.5, title_fontsize=8.5, loc="upper right")
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    figure.tight_layout()
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:])
