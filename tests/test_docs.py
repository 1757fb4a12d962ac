"""The docs that commands make are as the commands would make them now, and links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.places import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "content" / "README.md"]


@pytest.mark.parametrize("name", ["keys", "commands"])
def test_a_generated_page_is_as_it_would_be_made_now(name: str) -> None:
    """In a process of its own: other tests leave commands imported and settings changed."""
    code = f"import make; print(make.{name}_text())"
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tools" / "docs"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    page = (ROOT / "docs" / f"{name}.md").read_text()
    assert done.stdout.strip() in page, f"run: python tools/docs/make.py {name}"


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
