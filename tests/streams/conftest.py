"""What the tests of streams share."""

import pytest


@pytest.fixture(autouse=True)
def no_data_root(request, monkeypatch):
    """Only tests on real data sets see the user's $PALIMPSEST_DATA."""
    if "real_data" not in request.fixturenames:
        monkeypatch.delenv("PALIMPSEST_DATA", raising=False)
