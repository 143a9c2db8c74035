"""Sample sheets from a run's folder, cut to their first rows and small enough to stand in a page."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path

from PIL import Image

from palimpsest.reports.markup import Markup, tag

COLUMNS, GAP = 10, 2  # as the sheets are written
LARGEST = 1200  # pixels of a side that a page needs at most
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def sheet_path(folder: Path, number: int, kind: str = "") -> Path:
    """Where the samples after a task lie. kind: "", "_long" or "_closest"."""
    return folder / "samples" / f"task_{number}{kind}.png"


def picture(path: Path, alternative: str, rows: int = 0) -> Markup | None:
    """An <img> with the picture inside it; None where there is none to read. rows: how many to keep, 0 for all."""
    try:
        with Image.open(path) as sheet:
            sheet.load()
    except UNREADABLE:
        return None
    if rows:
        sheet = sheet.crop((0, 0, sheet.width, min(sheet.height, height_of(rows, sheet.width))))
    sheet.thumbnail((LARGEST, LARGEST))
    address = f"data:{kind_of(sheet)};base64,{b64encode(encoded(sheet)).decode()}"
    width, height = str(sheet.width), str(sheet.height)
    return tag("img", src=address, alt=alternative, width=width, height=height)


def height_of(rows: int, width: int) -> int:
    """Of the first rows of a sheet of square pictures, with the gaps around them."""
    return rows * ((width - GAP) // COLUMNS) + GAP


def kind_of(sheet: Image.Image) -> str:
    return "image/png" if sheet.mode in ("L", "1", "P") else "image/jpeg"


def encoded(sheet: Image.Image) -> bytes:
    """PNG in 32 shades for gray, which packs well and shows no seams; JPEG for colour."""
    content = BytesIO()
    if kind_of(sheet) == "image/png":
        sheet.convert("L").quantize(32).save(content, "PNG", optimize=True)
    else:
        sheet.convert("RGB").save(content, "JPEG", quality=82, optimize=True)
    return content.getvalue()
