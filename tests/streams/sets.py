"""Small data sets on disk, for the tests of streams."""

import json
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

PETS = ("cat", "dog", "eel")


def pixels(count, size=6, seed=0, colour=True):
    shape = (count, size, size, 3) if colour else (count, size, size)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(picture, kind="PNG"):
    out = BytesIO()
    Image.fromarray(picture).save(out, kind)
    return out.getvalue()


def write_folder(root, classes=PETS, count=3, seed=0, kind="png"):
    """root/CLASS/0.png ...; the pixels by class, (count, H, W, C)."""
    written = {}
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        written[name] = pixels(count, seed=seed + number)
        for place, picture in enumerate(written[name]):
            (root / name / f"{place}.{kind}").write_bytes(encoded(picture))
    return written


def write_parquet(path, pictures, labels, names=PETS, image="image", label="label"):
    """The hub's layout. pictures: arrays, or bytes as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = [picture if isinstance(picture, bytes) else encoded(picture) for picture in pictures]
    rows = [{"bytes": each, "path": f"{number}.png"} for number, each in enumerate(data)]
    table = pa.table({image: rows, label: pa.array(labels, pa.int64())})
    if names:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
