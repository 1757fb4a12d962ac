"""A document command that is killed at any step: nothing lost, nothing left, and no question about
q1lab's own bytes afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from q1lab.documents import change as saving
from q1lab.documents.change import save_files
from q1lab.ground import write_intents
from q1lab.ground.git_repository import NeedsYes, Repository
from tests.kit.faults import killed_at
from tests.kit.repos import begun, git, of_its_own

DOC, CHART = "MODIFICATION.md", "posts/figures/a.svg"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))
    folder = begun(tmp_path / "repo", {"model.py": "first\n"})
    (folder / "model.py").write_text("staged\n")
    git(folder, "add", "model.py")
    (folder / "model.py").write_text("and edited\n")
    return Repository.discover(folder)


def theirs(repo: Repository) -> str:
    """The learner's own work: what they staged, and what they did not."""
    names = ("--", "model.py")
    return git(repo.root, "diff", "--cached", *names) + git(repo.root, "diff", *names)


def names(repo: Repository) -> set[str]:
    files = (path.relative_to(repo.root) for path in repo.root.rglob("*") if path.is_file())
    return {str(path) for path in files if path.parts[0] != ".git"}


@pytest.mark.parametrize("which", ["new", "known"])
@pytest.mark.parametrize("by", [13, pytest.param(1, marks=pytest.mark.long)])
def test_a_kill_at_any_step_asks_nothing_afterwards(repo: Repository, which: str, by: int) -> None:
    files = {repo.root / DOC: b"one\n"}
    if which == "known":
        save_files(files, "docs: one", repo)
    learner_files, before = theirs(repo), names(repo)
    step = 0
    while True:
        step += by
        text = f"{which} {step}\n".encode()
        files = {repo.root / DOC: text, repo.root / CHART: text}
        was_killed = killed_at(step, lambda files=files: save_files(files, "docs: two", repo))  # type: ignore[misc]
        assert names(repo) <= before | {DOC, CHART}, step
        done = save_files(
            files, "docs: three", repo
        )  # no NeedsYes: there is no edit of the learner's
        assert (repo.root / DOC).read_bytes() == (repo.root / CHART).read_bytes() == text
        assert git(repo.root, "show", f"HEAD:{DOC}").encode() == text, (step, done)
        assert git(repo.root, "status", "--porcelain", "--", DOC, CHART) == "", step
        assert theirs(repo) == learner_files
        before = names(repo)
        if not was_killed:
            break
    assert step > 25


def test_an_edit_after_the_kill_is_the_learners(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = repo.root / DOC
    save_files({path: b"one\n"}, "docs: one", repo)
    assert killed_at(1, lambda: None) is False
    with monkeypatch.context() as patch:
        patch.setattr(saving.Repository, "commit", lambda *_, **__: os._exit(9))
        child = os.fork()
        if not child:
            save_files({path: b"two\n"}, "docs: two", repo)
        os.waitpid(child, 0)
    assert path.read_bytes() == b"two\n"
    path.write_bytes(b"two\nand mine\n")
    with pytest.raises(NeedsYes, match="edits of yours"):
        save_files({path: b"three\n"}, "docs: three", repo)
    git(repo.root, "add", DOC)
    path.write_bytes(b"two\n")  # q1lab's own again, but other text is staged
    with pytest.raises(NeedsYes, match="edits of yours"):
        save_files({path: b"three\n"}, "docs: three", repo)


def test_what_was_written_without_a_commit_is_committed_later_without_a_question(
    repo: Repository,
) -> None:
    path = repo.root / DOC
    save_files({path: b"one\n"}, "docs: one", None)
    save_files({path: b"two\n"}, "docs: two", None)
    done = save_files({path: b"two\n"}, "docs: two", repo)
    assert done.sha is not None
    path.write_bytes(b"two\nmine\n")
    save_files({path: b"three\nmine\n"}, "docs: three", None)  # what is the learner's stays theirs
    with pytest.raises(NeedsYes, match="edits of yours"):
        save_files({path: b"three\nmine\n"}, "docs: three", repo)


def test_a_deleted_document_is_still_asked_about(repo: Repository) -> None:
    path = repo.root / DOC
    save_files({path: b"one\n"}, "docs: one", repo)
    path.unlink()
    with pytest.raises(NeedsYes):
        save_files({path: b"two\n"}, "docs: two", repo)
    assert not path.exists()


def test_staging_on_another_disk_falls_back_to_the_folder(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_intents, "_disk", lambda folder: None)
    save_files({repo.root / DOC: b"one\n"}, "docs: one", repo)
    assert (repo.root / DOC).read_bytes() == b"one\n"
    assert names(repo) == {"model.py", DOC}
