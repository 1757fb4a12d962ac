"""Real git for tests: one way to call it, and a repository of a learner's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

IDENTITY = (
    "[user]\n\tname = Test Learner\n\temail = learner@example.org\n[init]\n\tdefaultBranch = main\n"
)


def git(folder: Path, *words: str) -> str:
    """The output of a git command; fails when it fails."""
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let git read no settings but a test's own identity, which is written into folder."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    settings = folder / "gitconfig"
    settings.write_text(IDENTITY)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def begun(folder: Path, files: dict[str, str | bytes] | None = None) -> Path:
    """A new repository in folder whose first commit holds these files."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    for name, content in (files or {}).items():
        text = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "begin")
    return folder


def prepare(folder: Path, files: dict[str, str | bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let q1lab and git use folder: a ``home``, and a new repository ``mine`` with these files, in
    which to stand. ``copied`` copies both for one test."""
    monkeypatch.setenv("Q1LAB_HOME", str(folder / "home"))
    of_its_own(folder, monkeypatch)
    monkeypatch.chdir(begun(folder / "mine", files))


def copied(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy a prepared ``home`` and repository ``mine`` for one test, and stand in the repository,
    which is returned."""
    for name in ("home", "mine"):
        shutil.copytree(prepared / name, tmp_path / name)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"
