"""The docs that commands make are as the commands would make them now, and links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from tests.kit.places import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "content" / "README.md"]


@pytest.fixture(scope="module")
def make() -> Any:
    """The docs' own maker, which is no package."""
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "docs" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("name", ["keys", "commands"])
def test_a_generated_page_is_as_it_would_be_made_now(name: str, make: Any) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    text = getattr(make, f"{name}_text")()
    assert text.strip() in page, f"run: python tools/docs/make.py {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_made_was_made(page: Path) -> None:
    for name, text in re.findall(
        r"<!-- made: (\w+) -->\n(.*?)<!-- /made -->", page.read_text(), re.DOTALL
    ):
        assert text.strip(), f"{page.name}: {name} was never made"
