"""Documents on disk: each is written whole or not at all, and stays when git refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1lab.documents.change import Change, read_document, save_files
from q1lab.ground.errors import NOTICES, Problem
from q1lab.ground.git_repository import NeedsYes, Repository
from q1lab.journal.store import Store
from tests.kit.repos import begun, git, of_its_own


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    of_its_own(tmp_path, monkeypatch)
    return Repository.discover(begun(tmp_path / "repo"))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def hook(repo: Repository, body: str) -> None:
    path = repo.root / ".git" / "hooks" / "pre-commit"
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)


def test_what_git_refused_is_committed_by_the_next_try_without_a_question(repo: Repository) -> None:
    old = repo.root / "old.md"
    save_files({old: b"old\n"}, "docs: old", repo)
    hook(repo, "exit 1\n")
    both = {old: b"new\n", repo.root / "deep" / "er" / "new.md": b"new\n"}
    with pytest.raises(Problem, match="all is written, but nothing was committed"):
        save_files(both, "docs", repo)
    assert {path: path.read_bytes() for path in both} == both
    (repo.root / ".git" / "hooks" / "pre-commit").unlink()
    done = save_files(both, "docs", repo)
    assert done.commit is not None
    assert done.commit.files == ("deep/er/new.md", "old.md")


def test_a_commit_that_the_journal_could_not_note_is_said(repo: Repository) -> None:
    path = repo.root / "mine.md"

    def refuse(*_: object) -> None:
        raise Problem("no space left")

    change = Change({path: b"ours\n"}, "docs: mine", repo, "", after=refuse)
    with Store() as store, pytest.raises(Problem, match="no space left"):
        change.save(store)
    sha = git(repo.root, "rev-parse", "--short=7", "HEAD").strip()
    assert [
        f"mine.md is written and committed ({sha}); only the journal has no note of it"
    ] == NOTICES


def test_a_missing_yes_is_found_before_anything_is_written(repo: Repository) -> None:
    path = repo.root / "mine.md"
    path.write_bytes(b"mine\n")
    before = files(repo.root)
    with pytest.raises(NeedsYes):
        save_files({path: b"ours\n", repo.root / "other.md": b"x\n"}, "docs", repo)
    assert files(repo.root) == before
    save_files({path: b"ours\n"}, "docs", repo, confirmed=True)
    assert path.read_bytes() == b"ours\n"


def test_links_and_folders_are_not_written_through(repo: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_bytes(b"outside\n")
    link = repo.root / "link.md"
    link.symlink_to(outside)
    (repo.root / "folder.md").mkdir()
    for path in (link, repo.root / "folder.md"):
        for where in (repo, None):
            with pytest.raises(Problem, match="plain file"):
                save_files({path: b"x\n"}, "docs", where)
    assert outside.read_bytes() == b"outside\n"


def test_without_a_repository_it_is_only_written(tmp_path: Path) -> None:
    done = save_files({tmp_path / "a.md": b"a\n"}, "docs", None)
    assert done.commit is None
    assert (tmp_path / "a.md").read_bytes() == b"a\n"
    assert save_files({tmp_path / "b.md": b"b\n"}, "docs", None, dry_run=True).written == (
        tmp_path / "b.md",
    )
    assert read_document(tmp_path / "b.md") is None
