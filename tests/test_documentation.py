"""The documentation keeps up with the code."""

import re
from pathlib import Path

import pytest

from palimpsest.strategies import catalog

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
NUMBER = re.compile(r"\d{4}\.\d{5}")


def text(place: str) -> str:
    return (ROOT / place).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", catalog.names())
def test_every_paper_that_a_strategy_names_is_among_those_to_cite(name):
    assert not set(NUMBER.findall(catalog.look_up(name).doc)) - set(NUMBER.findall(text("CITATION.cff")))


@pytest.mark.parametrize("name", catalog.names())
def test_every_strategy_is_in_the_changelog(name):
    assert re.search(rf"\b{name}\b", text("CHANGELOG.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_every_page_is_linked(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert all((page.parent / link).exists() for link in links if not link.startswith("http"))
    others = [each.read_text(encoding="utf-8") for each in (ROOT / "README.md", *PAGES) if each != page]
    assert any(f"{page.name})" in other for other in others)
