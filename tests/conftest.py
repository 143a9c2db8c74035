"""What all tests share: caches that are thrown away, and the real data sets where there are some."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory) -> Path:
    """One cache for the whole session, so that what one test has decoded serves the next."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def throwaway_cache(cache_folder, monkeypatch) -> None:
    """No test reads or writes the user's own cache."""
    monkeypatch.setenv("PALIMPSEST_CACHE", str(cache_folder))


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, cache_folder) -> Callable:
    """The tiny run of a strategy, made once for all tests that only look at it."""
    import palimpsest
    from tests.tiny import QUIET, tiny

    @cache
    def made(strategy: str):
        return palimpsest.train(tiny(), strategy=strategy, out=tmp_path_factory.mktemp("tiny") / "run", display=QUIET)

    return made


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets that $PALIMPSEST_DATA names; skips the test where there is none."""
    root = Path(os.environ.get("PALIMPSEST_DATA", ""))
    if not (root / "fashion_mnist" / "train.parquet").is_file():
        pytest.skip("PALIMPSEST_DATA names no folder with fashion_mnist/train.parquet")
    return root
