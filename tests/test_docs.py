"""The docs that commands make are as the commands would make them now, and links lead somewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.commands.cli import cli
from tests.kit.places import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "content" / "README.md"]


def test_no_file_holds_the_marks_of_a_conflict() -> None:
    found = subprocess.run(
        ["git", "grep", "-nE", "^(<<<<<<<|>>>>>>>) "], cwd=ROOT, capture_output=True, text=True
    )
    assert not found.stdout


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


def test_tables_are_as_their_command_makes_them_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that take seconds; the others are simulated for minutes."""
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    import together
    import verdict

    made = {"verdict.md": [verdict.power(), verdict.looks(), verdict.floor()]}
    made |= {"card.md": [together.text()]}
    for page, tables in made.items():
        text = (ROOT / "docs" / page).read_text()
        for table in tables:
            assert table in text, page


def test_the_verdict_that_is_shown_is_the_demos() -> None:
    demo = CliRunner().invoke(cli, ["demo", "--full"], env={"COLUMNS": "80"}).output
    whole = demo[demo.index("HELPS") : demo.index("A study with")].strip()
    assert whole in (ROOT / "docs" / "verdict.md").read_text()
    readme = re.findall(
        r"(?s)<!-- made: demo -->\n```text\n(.*?)\n```", (ROOT / "README.md").read_text()
    )
    short = CliRunner().invoke(cli, ["demo"], env={"COLUMNS": "80"}).output
    assert readme == [short[short.index("HELPS") : short.index("A study with")].strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_example_names_a_number_that_the_giver_of_a_bundle_would_know(page: Path) -> None:
    """The giver would make their list of hashes again until it spares the forged runs."""
    assert not re.search(r"--number[ =][0-9]", page.read_text())
