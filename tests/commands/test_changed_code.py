"""The repository of a command: on record when a study is planned, and named when it has changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from q1lab.study import studies
from tests.commands.test_command_arms import PYTHON
from tests.kit.commands import q1lab, study_toml

pytestmark = pytest.mark.sample

TRAIN = "import sys, model\nprint(f'METRIC step=1 loss={model.value(*sys.argv[1:])}')\n"
MODEL = "def value(seed, arm='a'):\n    return int(seed) / 9 + len(arm)\n"
CHANGED = "changed since b-1 was planned"


def git(*words: str) -> str:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *names, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def said(*options: str) -> str:
    return " ".join(q1lab("run", "study.toml", "--seeds", "1", *options).stdout.split())


def test_a_study_says_that_the_code_has_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another commit, or another uncommitted change; --fresh trains the code as it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    Path("train.py").write_text(TRAIN)
    Path("model.py").write_text(MODEL)
    study_toml(f"{PYTHON} train.py {{seed}} {{args}}", metric="loss", baseline="", b="bb")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD")
    assert CHANGED not in said() + said(), "nothing has changed"
    Path("model.py").write_text(MODEL.replace("9", "8"))
    changed = said()
    assert f"{CHANGED} at commit {commit[:7]}" in changed, "an uncommitted change"
    assert "--fresh" in changed
    assert CHANGED not in said("--fresh")
    assert studies.ids() == ["b-1", "b-2"]
    diff = studies.load("b-2").files.source / "uncommitted.diff"
    assert "+    return int(seed) / 8" in diff.read_text(), "the change is on record"
    assert "changed since" not in said(), "as b-2 was planned"
    git("commit", "-qam", "second")
    assert "b-2 was planned at commit" in said(), "another commit"
