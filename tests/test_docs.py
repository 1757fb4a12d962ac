"""The docs that commands make are as the commands would make them now, and links lead somewhere."""

from __future__ import annotations

import importlib
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


def test_the_page_of_looks_is_as_its_results_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    page = (ROOT / "docs" / "looks.md").read_text()
    for block, text in importlib.import_module("looks").texts().items():
        made = f"<!-- made: {block} -->\n{text}\n<!-- /made -->"
        assert made in page, "run: python tools/docs/make.py looks"


def test_what_a_page_says_was_measured_has_date_and_commit() -> None:
    """Its figures are of then; the script that made them may be gone since."""
    for name in ("card", "cost", "engines", "floor", "pairing", "performance", "reliability"):
        page = (ROOT / "docs" / f"{name}.md").read_text()
        assert re.search(r"on\s20\d\d-\d\d-\d\d\sat\scommit\s[0-9a-f]{7}", page), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_made_was_made(page: Path) -> None:
    for name, text in re.findall(
        r"<!-- made: (\w+) -->\n(.*?)<!-- /made -->", page.read_text(), re.DOTALL
    ):
        assert text.strip(), f"{page.name}: {name} was never made"


def test_the_layout_names_every_package_and_no_other() -> None:
    """CONTRIBUTING's tree of the code, held against the folders."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## How the code is laid out")[2]
    tree = text[text.index("```\nq1lab/") + 4 :].partition("```")[0]
    named, top = set(), ""
    for line in tree.splitlines():
        cells = re.split(r"\s{2,}", line.strip())
        top = top if line.startswith(" ") else cells.pop(0)
        if top in ("q1lab/", "labs/"):
            named |= {top + name for name in cells[0].split()}
    parts_of_the_app = {"q1lab/tui/screens/", "q1lab/tui/widgets/"}
    packages = {
        f"{file.parent.relative_to(ROOT)}/"
        for top in ("q1lab", "labs")
        for file in (ROOT / top).glob("*/**/__init__.py")
    }
    assert {name for name in named if name.endswith("/")} == packages - parts_of_the_app
    modules = {f"q1lab/{file.name}" for file in (ROOT / "q1lab").glob("[!_]*.py")}
    assert {name for name in named if re.fullmatch(r"q1lab/\w+\.py", name)} == modules
