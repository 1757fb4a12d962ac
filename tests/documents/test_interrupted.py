"""Ctrl-C while git works: afterwards the document and its commit are both there, or neither is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.documents.change import save_files
from q1lab.ground import git_repository
from q1lab.ground.git_repository import Repository
from tests.kit.repos import begun, git, of_its_own
from tests.kit.waiting import wait_for

HOOK = "echo $$ > new; mv new began; sleep 30\n"
BUSY: dict[str, tuple[str, str]] = {
    "a hook": (".git/hooks/pre-commit", HOOK),
    "a hook that ignores TERM": (".git/hooks/commit-msg", f"trap '' TERM INT HUP\n{HOOK}"),
    "a hook of the commit that is made": (".git/hooks/post-commit", HOOK),
    "gpg": ("gpg", HOOK),
}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    of_its_own(tmp_path, monkeypatch)
    folder = begun(tmp_path / "repo", {"model.py": "first\n", ".gitignore": "began\ngpg\n"})
    (folder / "model.py").write_text("staged\n")
    git(folder, "add", "model.py")
    return Repository.discover(folder)


@pytest.mark.parametrize("busy", BUSY)
def test_git_has_ended_before_anything_is_put_back(repo: Repository, busy: str) -> None:
    name, body = BUSY[busy]
    file = repo.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}")
    file.chmod(0o755)
    if busy == "gpg":
        git(repo.root, "config", "commit.gpgsign", "true")
        git(repo.root, "config", "gpg.program", str(file))
    before = git(repo.root, "rev-parse", "HEAD"), git(repo.root, "status", "--porcelain")
    command = [sys.executable, "-m", "q1lab", "post", "new", "--yes", "--repo", str(repo.root)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        wait_for((repo.root / "began").exists, busy)
        child.send_signal(signal.SIGINT)
        error = child.communicate(timeout=60)[1]
    assert child.returncode == 130, error
    assert "Traceback" not in error
    hook = Path(f"/proc/{(repo.root / 'began').read_text().strip()}/stat")
    assert not hook.exists() or " Z " in hook.read_text()
    assert not (repo.root / ".git" / "index.lock").exists()
    post_files = list(repo.root.glob("posts/*.md"))
    if "is made" in busy:
        assert git(repo.root, "status", "--porcelain") == before[1], "committed, and it stays"
        assert git(repo.root, "show", "--name-only", "--format=").split() == [
            str(path.relative_to(repo.root)) for path in post_files
        ]
    else:
        assert post_files == []
        assert before == (
            git(repo.root, "rev-parse", "HEAD"),
            git(repo.root, "status", "--porcelain"),
        )


def interrupted_at(step: int, act: Callable[[], object]) -> bool:
    """Run ``act`` in a child that gets Ctrl-C around its ``step``-th process. False when it came to
    its end first."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child:
        os.close(write_end)
        with os.fdopen(read_end, errors="replace") as pipe:
            error = pipe.read()  # of an exception that is no Ctrl-C
        _, status = os.waitpid(child, 0)
        assert os.WIFEXITED(status)
        assert os.WEXITSTATUS(status) in (0, 130), error
        return os.WEXITSTATUS(status) == 130
    code, left, started = 1, step, subprocess.Popen.__init__

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        started(self, *args, **kwargs)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)

    subprocess.Popen.__init__ = begin  # type: ignore[method-assign]
    try:
        act()
        code = 0
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        os.write(write_end, traceback.format_exc().encode()[-4000:])
    finally:
        os._exit(code)


def test_ctrl_c_at_any_process_leaves_both_or_neither(repo: Repository) -> None:
    step, ends = 0, set()
    while True:
        step += 1
        text = f"{step}\n".encode()
        path = repo.root / f"{step}.md"
        head = git(repo.root, "rev-parse", "HEAD")
        cut = interrupted_at(
            step, lambda path=path, text=text: save_files({path: text}, "docs", repo)
        )  # type: ignore[misc]
        time.sleep(0.1)
        committed = git(repo.root, "rev-parse", "HEAD") != head
        assert path.exists() == committed, step
        assert git(repo.root, "status", "--porcelain") == "M  model.py\n", step
        # git itself leaves it when it ends in the moment in which it makes it
        (repo.root / ".git" / "index.lock").unlink(missing_ok=True)
        ends.add(committed)
        if not cut:
            break
    assert ends == {True, False}
    assert step > 10


def test_ctrl_c_while_it_is_put_back_waits_for_that(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program holds git's index, so the commit fails; and then somebody loses patience."""
    monkeypatch.setattr(git_repository, "_LOCK_TRIES", 1)
    (repo.root / ".git" / "index.lock").touch()
    path = repo.root / "DOC.md"
    for step in (5, 6):  # the look at HEAD before the file is taken back
        assert interrupted_at(step, lambda: save_files({path: b"new\n"}, "docs", repo))
        assert not path.exists(), step


def test_a_refusal_leaves_the_index_as_old_as_it_was(repo: Repository) -> None:
    """With a newer index git would take an edit of the same tick for no edit."""
    hook = repo.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    git(repo.root, "commit", "-q", "--no-verify", "-m", "all")
    git(repo.root, "config", "core.trustctime", "false")  # in the same tick it is the same
    index, model = repo.root / ".git" / "index", repo.root / "model.py"
    then = (index.stat().st_mtime_ns // 10**9 - 100) * 10**9
    os.utime(model, ns=(then, then))
    git(repo.root, "update-index", "--refresh")
    os.utime(index, ns=(then, then))
    with pytest.raises(git_repository.Problem, match="refused the commit"):
        save_files({repo.root / "new.md": b"x\n"}, "docs", repo)
    model.write_text("Staged\n")
    os.utime(model, ns=(then, then))
    assert git(repo.root, "diff", "--name-only") == "model.py\n"


@pytest.mark.parametrize("committed_before", [False, True])
def test_a_commit_that_the_index_has_not_is_mended_by_the_next_command(
    repo: Repository, tmp_path: Path, committed_before: bool
) -> None:
    """As a full disk leaves it when git can't write the index after it has moved HEAD."""
    path, index = repo.root / "DOC.md", repo.root / ".git" / "index"
    if committed_before:
        save_files({path: b"old\n"}, "docs: old", repo)
        before = index.read_bytes()
    else:
        path.write_bytes(b"new\n")
        git(repo.root, "add", "-N", "DOC.md")
        before = index.read_bytes()
        git(repo.root, "rm", "-q", "--cached", "DOC.md")
        path.unlink()
    save_files({path: b"new\n"}, "docs: new", repo)
    index.write_bytes(before)
    head = git(repo.root, "rev-parse", "HEAD")
    assert not save_files({path: b"new\n"}, "docs: new", repo).sha
    assert git(repo.root, "status", "--porcelain") == "M  model.py\n"
    assert git(repo.root, "rev-parse", "HEAD") == head
    index.write_bytes(before)
    assert save_files({path: b"newer\n"}, "docs: newer", repo).sha
    assert git(repo.root, "status", "--porcelain") == "M  model.py\n"
