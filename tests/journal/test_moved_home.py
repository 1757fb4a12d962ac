"""docs/home.md, done word for word: a home that was copied has everything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line as q1lab
from q1lab.journal import study_names
from q1lab.journal.store import Store
from tests.kit.lab_home import finish, leave_weights, make_study
from tests.kit.places import ROOT

PAGE = (ROOT / "docs" / "home.md").read_text()


def commands_of_the_page(*places: tuple[str, Path]) -> list[str]:
    """The page's shell lines in their order, with its folders replaced."""
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
    ]
    for folder, place in places:
        lines = [line.replace(folder, str(place)) for line in lines]
    return lines


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert q1lab([*words]) == 0
    return capsys.readouterr().out


def test_a_home_is_copied_and_moved_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "home" / "q1lab"
    monkeypatch.setenv("Q1LAB_HOME", str(old))
    for name, variant in (("rope-1", "rope"), ("swiglu-1", "swiglu")):
        study = make_study(name, variant)
        finish(study)
        leave_weights(study)
    with Store() as store:
        study_names.give_name(store, "rope-1", "warm")
    said(capsys, "delete", "swiglu-1", "--yes")
    before = json.loads(said(capsys, "compare", "rope-1", "--json"))
    (tmp_path / "backup").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "q1lab"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m q1lab "$@"\n')
    program.chmod(0o755)
    lines = commands_of_the_page(
        ("~/.local/share/q1lab", old),
        ("/backup", tmp_path / "backup"),
        ("/elsewhere", tmp_path / "elsewhere"),
    )
    assert len(lines) == 6
    done = subprocess.run(
        ["bash", "-euc", "\n".join(lines)],
        env={
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "called warm" in done.stdout
    exported = json.loads((tmp_path / "elsewhere" / "all.json").read_text())
    assert [study["study"] for study in exported["studies"]] == ["rope-1"]
    new = tmp_path / "elsewhere" / "q1lab"
    monkeypatch.setenv("Q1LAB_HOME", str(new))
    assert json.loads(said(capsys, "compare", "warm", "--json")) == before
    said(capsys, "restore", "swiglu-1")
    for file in ("acts.jsonl", "studies/rope-1/runs/baseline-seed0/model.pt"):
        old_bytes = (old / file).read_bytes()
        assert (new / file).read_bytes().startswith(old_bytes)


@pytest.mark.parametrize(
    "away",
    re.findall(r"^\| `([^|]*?)`(?:, [^|]*)? \| [^|]* \| nothing is lost", PAGE, re.MULTILINE),
)
def test_what_the_page_calls_made_again_may_be_away(away: str, home: Path) -> None:
    finish(make_study("rope-1"))
    assert q1lab(["compare", "rope-1"]) == 0
    (home / away).unlink()
    assert q1lab(["compare", "rope-1"]) == 0
