"""A document that one file, its template and one row add is a command, is shown before it is
committed, is on record for good, and ticks the step that asks for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line
from q1lab.documents import commit_previews
from q1lab.ground import command_table, paths
from q1lab.index.store import Store
from q1lab.week import content, evidence
from q1lab.week.syllabus import Week
from tests.kit import small_weeks, toy_document
from tests.kit.places import mentioned_in_code
from tests.kit.repos import begun, git, of_its_own

TEXT = """# A

## A {#a1 minutes=60}

- [ ] Write it {#a1-written done_when="logbook written"}

  ```q1lab command
  command = "q1lab logbook --no-commit"
  ```

- [ ] Commit it {#a1-committed done_when="logbook committed"}

  ```q1lab command
  command = "q1lab logbook"
  ```
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    monkeypatch.setitem(sys.modules, "q1lab.commands.logbook", toy_document)
    monkeypatch.setattr(command_table, "CORE_ACTS", (*command_table.CORE_ACTS, toy_document.ACT))
    command_table.acts.cache_clear()
    of_its_own(tmp_path, monkeypatch)
    root = tmp_path / "week"
    small_weeks.write_week(root)
    (root / "session-a.md").write_text(TEXT)
    (root / "templates").mkdir()
    (root / "templates" / "logbook.md.j2").write_text(toy_document.TEMPLATE)
    yield root
    command_table.acts.cache_clear()


def ticked(week: Week) -> set[str]:
    with Store() as store:
        return set(evidence.read_progress(store, week).done)


def test_a_document_goes_from_its_row_to_a_commit_and_a_tick(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small_weeks.check_week(folder) == []
    week, repo = content.load_week(folder), begun(tmp_path / "repo")
    typed = ["q1lab", "logbook", "--overwrite"]
    assert commit_previews.can_preview(typed)
    assert commit_previews.commits([*typed, "--json"])
    assert not commit_previews.can_preview([*typed, "--json"])
    with Store() as store:
        shown = commit_previews.preview_change(typed, store, week, repo)
    assert shown is not None
    assert "0 steps." in shown.text
    assert ticked(week) == set()
    command = ["--content", str(folder), "logbook", "--repo", str(repo)]
    assert run_command_line([*command, "--no-commit"]) == 0
    assert ticked(week) == {"a1-written"}
    assert run_command_line([*command, "--yes"]) == 0
    assert git(repo, "log", "-1", "--format=%s").strip() == "docs: write LOGBOOK.md"
    assert ticked(week) == {"a1-written", "a1-committed"}
    paths.database_file().unlink()  # it is in the journal
    assert ticked(week) == {"a1-written", "a1-committed"}
    (repo / "LOGBOOK.md").unlink()
    assert ticked(week) == set()
    assert mentioned_in_code("logbook") == []
