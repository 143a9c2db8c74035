"""The picture of the README: samples after each task, one row a strategy, from the same noise.

python docs/picture.py docs/digits.png runs/digits/{joint,generative_distillation,generative_replay,finetune}-seed0
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image


def main(out: str, *runs: str) -> None:
    results = [json.loads((Path(run) / "results.json").read_text()) for run in runs]
    tasks = len(results[0]["tasks"])
    figure, axes = plt.subplots(len(runs), tasks, figsize=(2.6 * tasks, 1.2 * len(runs)), squeeze=False)
    for row, (run, result) in enumerate(zip(runs, results, strict=True)):
        for column, task in enumerate(result["tasks"]):
            axis = axes[row][column]
            sheet = Image.open(Path(run) / "samples" / f"task_{task['number']}.png")
            axis.imshow(sheet.crop((0, 0, sheet.width, sheet.height // 2)), cmap="gray", interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_xlabel(f"FID {task['measures']['fid']:.0f}", fontsize=9)
            if row == 0:
                classes = " and ".join(map(str, task["classes"]))
                axis.set_title(f"task {task['number']}: learns {classes}", fontsize=10)
            if column == 0:
                axis.set_ylabel(result["strategy"].replace("_", "\n"), fontsize=10)
    figure.tight_layout(h_pad=0.6, w_pad=0.6)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
