"""Ctrl-C while git works: git ends, too, and the next try finishes what was begun."""

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
def test_git_and_what_it_started_end(repo: Repository, busy: str) -> None:
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
    (post,) = (str(path.relative_to(repo.root)) for path in repo.root.glob("posts/*.md"))
    if "is made" in busy:
        assert git(repo.root, "status", "--porcelain") == before[1], "committed, and it stays"
    else:
        assert git(repo.root, "rev-parse", "HEAD") == before[0]
        assert git(repo.root, "status", "--porcelain") == f"{before[1]}?? posts/\n"
        file.unlink()
        git(repo.root, "config", "commit.gpgsign", "false")
        subprocess.run([*command[:4], "refresh", *command[5:]], check=True)
        assert git(repo.root, "status", "--porcelain") == before[1]
    assert git(repo.root, "show", "--name-only", "--format=").split() == [post]


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


def test_after_ctrl_c_at_any_process_the_next_try_finishes(repo: Repository) -> None:
    step = 0
    while True:
        step += 1
        text = f"{step}\n".encode()
        path = repo.root / f"{step}.md"
        cut = interrupted_at(
            step, lambda path=path, text=text: save_files({path: text}, "docs", repo)
        )  # type: ignore[misc]
        time.sleep(0.1)  # for a git that began at that very moment
        # git itself leaves it when it ends in the moment in which it makes it
        (repo.root / ".git" / "index.lock").unlink(missing_ok=True)
        save_files({path: text}, "docs", repo)
        assert git(repo.root, "show", f"HEAD:{path.name}") == f"{step}\n"
        assert git(repo.root, "status", "--porcelain") == "M  model.py\n", step
        if not cut:
            break
    assert step > 10
