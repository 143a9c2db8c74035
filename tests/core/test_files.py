"""Places that cannot be written are refused before any work is done for them."""

import os

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.core.files import check_place, make_place


def test_a_place_that_can_be_written_is_not_made_by_looking(tmp_path):
    check_place(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    check_place(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("refuse", [check_place, make_place])
def test_what_is_in_the_way_is_named(tmp_path, refuse, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="nothing can be written to .*file/a/b .*file is a file.; choose another"):
        refuse(tmp_path / "file" / "a" / "b")
    with pytest.raises(RequestError, match="File name too long"):
        refuse(tmp_path / ("x" * 300))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(RequestError, match=f"{tmp_path} is read-only"):
        refuse(tmp_path / "a" / "b")
