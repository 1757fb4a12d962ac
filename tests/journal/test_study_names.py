"""Names that a learner gives to studies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line as q1lab
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.journal import on_record, study_names
from q1lab.journal.store import Store
from q1lab.study import studies
from tests.kit.lab_home import finish, make_study

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def two(home: Path) -> None:
    for name, variant in (("rope-1", "rope"), ("swiglu-1", "swiglu")):
        finish(make_study(name, variant))


def name(study: str, given: str) -> None:
    with Store() as store:
        study_names.give_name(store, study, given)


def name_of(study: str) -> str:
    with Store() as store:
        return study_names.name_of(store, study)


def out(capsys: Capture, *words: str, code: int = 0) -> str:
    assert q1lab([*words]) == code
    said = capsys.readouterr()
    return said.out + said.err


def test_a_name_is_taken_wherever_a_studys_own_is(
    two: None, capsys: Capture, tmp_path: Path
) -> None:
    name("rope-1", "warm")
    assert "rope − baseline" in out(capsys, "compare", "warm")
    assert "rope-1: rope against baseline" in out(capsys, "status", "warm")
    assert "called warm" in out(capsys, "status", "rope-1")
    assert json.loads(out(capsys, "status", "warm", "--json"))["studies"][0]["name"] == "warm"
    assert "rope-1" in out(capsys, "delete", "warm", "--dry-run")
    assert "warm  " in out(capsys, "status")
    record = json.loads(out(capsys, "export", "warm", str(tmp_path / "a.json"), "--json"))
    assert record["studies"] == ["rope-1"]
    assert "no study called 'cold'" in out(capsys, "status", "cold", code=2)


def test_a_deleted_study_comes_back_by_the_name_that_it_was_given(
    two: None, capsys: Capture
) -> None:
    with Store() as store:
        on_record.record_begin(store, studies.load("rope-1"))
    name("rope-1", "warm")
    out(capsys, "delete", "warm", "--yes")
    assert "rope-1: restored" in out(capsys, "restore", "warm")
    assert name_of("rope-1") == "warm"
    assert "warm: no such file or folder" in out(capsys, "restore", "warm", code=1)


def test_a_name_can_be_changed(two: None, capsys: Capture) -> None:
    name("rope-1", "warm")
    name("rope-1", "warmer")
    assert "no study called 'warm'" in out(capsys, "compare", "warm", code=2)
    assert "rope-1" in out(capsys, "status", "warmer")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("swiglu-1", "a study is already called swiglu-1"),
        ("taken", "a study is already called taken: swiglu-1"),
        ("rope", "rope names something else here"),
        ("sweep-1", "sweep-1 names something else here"),
        ("two words", "'two words' is not a name"),
        ("../up", "'../up' is not a name"),
        ("\x1b[2Jx", "is not a name"),
        ("n" * 41, "is not a name: letters a to z, digits, dots, hyphens, 40 at most"),
    ],
)
def test_a_name_that_says_something_else_is_refused(two: None, given: str, said: str) -> None:
    name("swiglu-1", "taken")
    with pytest.raises(Problem, match=re.escape(said)):
        name("rope-1", given)
    assert name_of("rope-1") == ""


def test_a_new_study_is_named_as_it_begins(
    fake_trainer: Callable[..., None], capsys: Capture
) -> None:
    fake_trainer()
    small = ("--preset", "quick", "--max-iters", "20", "--wandb", "disabled", "--seeds", "1")
    out(capsys, "run", "rope", *small, "--name", "warm")
    assert "warm" in out(capsys, "status", "rope-1")
    assert "already" in out(capsys, "run", "swiglu", *small, "--name", "warm", code=2)
    assert not paths.study_dir("swiglu-1").exists()
    out(capsys, "run", "rope", *small, "--name", "warmer")  # the same study
    assert name_of("rope-1") == "warmer"
    out(capsys, "run", "rmsnorm", "swiglu", *small, "--name", "both")
    assert [name_of("rmsnorm-1"), name_of("swiglu-1")] == ["both-rmsnorm", "both-swiglu"]


def test_a_name_travels_in_an_archive_unless_it_is_taken(
    two: None, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name("rope-1", "warm")
    file = tmp_path / "it.zip"
    out(capsys, "export", "warm", str(file))
    out(capsys, "restore", str(file), "--name", "rope-2")
    assert name_of("rope-2") == ""
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "elsewhere"))
    out(capsys, "restore", str(file))
    assert name_of("rope-1") == "warm"
