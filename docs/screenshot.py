"""Pictures of a report page for the docs: the page in headless Chromium, cut where it is blank.

python docs/screenshot.py runs/fashion/report.html docs/fashion_mnist_small/page --width 1500
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

TALLEST, SHORTEST = 1800, 900  # pixels of one picture
PAGE = 14000  # pixels that are looked at; what is blank below the page is cut off
BLANK = 24  # rows of background between which may be cut


def shoot(page: Path, width: int) -> Image.Image:
    """The whole page, without what is blank below it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("no Chromium found; install it, for example with apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "page.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{PAGE}"]
        command = [browser, *options, f"--screenshot={out}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        picture = Image.open(out).convert("RGB")
    used = np.flatnonzero(~blank_rows(picture))
    return picture.crop((0, 0, width, min(int(used[-1]) + BLANK, picture.height)))


def blank_rows(picture: Image.Image) -> np.ndarray:
    """Which rows show the background alone."""
    pixels = np.asarray(picture)
    return (pixels == pixels[-1, 0]).all(axis=(1, 2))


def cuts(picture: Image.Image) -> list[int]:
    """Where to cut: between the least and the greatest height, in the middle of the widest blank band."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], blank_rows(picture), [False]]).astype(int)))
    bands = [(end - begin, (begin + end) // 2) for begin, end in edges.reshape(-1, 2) if end - begin >= BLANK]
    found = [0]
    while picture.height - found[-1] > TALLEST:
        fitting = [band for band in bands if SHORTEST < band[1] - found[-1] <= TALLEST]
        found.append(int(max(fitting)[1]) if fitting else found[-1] + TALLEST)
    return [*found, picture.height]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("out", help="what the pictures' names begin with")
    parser.add_argument("--width", type=int, default=1200)
    asked = parser.parse_args()
    picture = shoot(asked.page, asked.width)
    edges = cuts(picture)
    for number, (top, bottom) in enumerate(zip(edges, edges[1:], strict=False), start=1):
        part = picture.crop((0, top, asked.width, bottom)).quantize(128, method=Image.Quantize.MAXCOVERAGE)
        part.save(f"{asked.out}_{number}.png", optimize=True)
        print(f"{asked.out}_{number}.png: {bottom - top} rows")


if __name__ == "__main__":
    main()
