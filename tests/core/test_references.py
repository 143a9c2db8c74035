"""What a user wrote is found by package.module:attribute and by path/to/file.py:attribute."""

import pytest

from palimpsest.core.errors import RequestError
from palimpsest.core.references import load, settled


def test_a_file_is_imported_once_for_each_content_and_finds_what_lies_beside_it(tmp_path):
    (tmp_path / "beside_it_17.py").write_text("number = 7\n")
    file = tmp_path / "own.py"
    file.write_text("from beside_it_17 import number\nthing = [number]\n")
    first = load(f"{file}:thing", "stream")
    assert first == [7] and load(f"{file}:thing", "stream") is first
    file.write_text("thing = [8]\n")
    assert load(f"{file}:thing", "stream") == [8]


def test_a_file_is_settled_by_its_whole_path_and_other_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settled("own.py:thing") == f"{tmp_path / 'own.py'}:thing"
    assert [settled(name) for name in ("digits", "hub:owner/name", "module:thing")] == [
        "digits",
        "hub:owner/name",
        "module:thing",
    ]


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("absent.py:thing", "absent.py is not there.*give package.module:attribute"),
        ("no_such_module:thing", "No module named 'no_such_module'.*give package.module:attribute"),
        ("broken.py:thing", "ZeroDivisionError"),
        ("whole.py:thnig", 'unknown name in whole.py "thnig". Did you mean "thing"?'),
    ],
)
def test_what_cannot_be_found_is_said(reference, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("def thing():\n    pass\n1 / 0\n")
    (tmp_path / "whole.py").write_text("def thing():\n    pass\n")
    for _ in range(2):  # what was imported half is not kept
        with pytest.raises(RequestError, match=f'the stream "{reference}" cannot be imported.*{sentence}'):
            load(reference, "stream")
