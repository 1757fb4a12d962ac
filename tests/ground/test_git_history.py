"""What q1lab reads in the learner's own history."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.ground import git_history
from q1lab.ground.git_repository import Repository
from tests.kit import traps
from tests.kit.repos import begun, git, of_its_own


@pytest.fixture(autouse=True)
def _own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_its_own(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@example.org:a/b.git", "https://example.org/a/b"),
        ("https://user:secret@example.org/a/b.git", "https://example.org/a/b"),
        ("ssh://git@example.org:2222/a/b", "https://example.org/a/b"),
        ("/srv/git/b.git", None),
    ],
)
def test_the_address_of_a_remote_holds_no_secret(
    tmp_path: Path, remote: str, address: str | None
) -> None:
    repo = begun(tmp_path / "mine")
    git(repo, "remote", "add", "origin", remote)
    assert git_history.web_url(Repository.discover(repo)) == address


READ = [kind for kind, trap in traps.TRAPS.items() if trap.falls[0] in ("log", "diff", "status")]


@pytest.mark.parametrize("kind", READ)
def test_no_setting_starts_a_program_where_history_and_diffs_are_read(
    tmp_path: Path, kind: str
) -> None:
    """The settings of a signature check, of a diff viewer or of a file watcher are for a person's own
    git."""
    folder = begun(tmp_path / "mine", {"a.ipynb": "{}"})
    (folder / "deep").mkdir()
    (folder / "b.ipynb").write_text("{}\n")
    (folder / "deep" / "c.ipynb").write_text("[]\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "another")
    sprung = traps.armed(folder, traps.TRAPS[kind], tmp_path)
    git(folder, "config", "color.ui", "always")
    git(folder, "config", "log.showRoot", "false")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    (folder / "b.ipynb").write_text("edited\n")
    ours = Repository.discover(folder)
    assert git_history.added_by_me(ours, "*.ipynb") == ("a.ipynb", "b.ipynb", "deep/c.ipynb")
    assert git_history.is_mine_at_origin(ours)
    assert ours.uncommitted_diff().startswith("diff --git a/b.ipynb b/b.ipynb\n")
    assert not sprung.exists()
