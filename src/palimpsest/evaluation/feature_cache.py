"""Features of real pictures on disk: a reference set is read once per machine and not once per process."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from palimpsest.core.files import cache_root, write_atomically
from palimpsest.evaluation.evaluator_cache import Damaged, locked
from palimpsest.evaluation.extractors import Extractor
from palimpsest.evaluation.pictures import Pictures, digest, in_parts


def features_of(pictures: Pictures, extractor: Extractor) -> Tensor:
    """Features float32 (N, D), on the CPU, of a set of real pictures: from the cache, or made now and put into it.

    They are kept in $PALIMPSEST_CACHE/features under the digest of the pictures and that of the extractor. A damaged
    file is made again, and processes that want the same features wait for the one that makes them.
    Raises RequestError where the cache cannot be written.
    """
    path = cache_root() / "features" / f"{digest(pictures)}-{extractor.sha256[:16]}.safetensors"
    try:
        return read(path, len(pictures))
    except Damaged:
        pass
    with locked(path, "the cache of features"):
        try:
            return read(path, len(pictures))
        except Damaged:
            features = torch.cat([extractor.features(pictures.take(rows)[0]) for rows in in_parts(pictures)])
            write_atomically(path, save({"features": features}, {"sha256": sha256_of(features)}))
            return features


def read(path: Path, count: int) -> Tensor:
    """The features of `count` pictures in a file; Damaged where it is absent or does not hold what it says."""
    try:
        with safe_open(path, "pt") as file:
            features, wanted = file.get_tensor("features"), (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError) as error:
        raise Damaged(str(error)) from error
    if len(features) != count or sha256_of(features) != wanted:
        raise Damaged(f"{path} does not hold what it says")
    return features


def sha256_of(features: Tensor) -> str:
    """sha256 over the numbers."""
    return hashlib.sha256(features.contiguous().numpy()).hexdigest()
