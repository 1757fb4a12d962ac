"""Names that a learner gives to studies, and words by which studies are found again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line as q1lab
from q1lab.ground import paths
from q1lab.index import study_labels
from q1lab.index.store import Store
from q1lab.record import begin
from q1lab.study import studies
from tests.kit.lab_home import finish, make_study
from tests.kit.places import KIT

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def two(home: Path) -> None:
    for name, variant in (("rope-1", "rope"), ("swiglu-1", "swiglu")):
        finish(make_study(name, variant))


def out(capsys: Capture, *words: str, code: int = 0) -> str:
    assert q1lab([*words]) == code
    said = capsys.readouterr()
    return said.out + said.err


def test_a_name_is_taken_wherever_a_studys_own_is(
    two: None, capsys: Capture, tmp_path: Path
) -> None:
    assert "called warm" in out(capsys, "note", "rope-1", "first try", "--name", "warm")
    assert "first try" in out(capsys, "note", "warm")
    assert "rope − baseline" in out(capsys, "compare", "warm")
    assert "rope-1: rope against baseline" in out(capsys, "status", "warm")
    assert json.loads(out(capsys, "status", "warm", "--json"))["studies"][0]["name"] == "warm"
    assert "rope-1" in out(capsys, "delete", "warm", "--dry-run")
    assert "warm  " in out(capsys, "status")
    record = json.loads(out(capsys, "export", "warm", "--output", str(tmp_path), "--json"))
    assert record["studies"] == ["rope-1"]


def test_a_deleted_study_comes_back_by_the_name_that_it_was_given(
    two: None, home: Path, capsys: Capture
) -> None:
    with Store() as store:
        begin.record_begin(store, studies.load("rope-1"))
    out(capsys, "note", "rope-1", "--name", "warm")
    out(capsys, "delete", "warm", "--yes")
    assert "rope-1: restored" in out(capsys, "restore", "warm")
    assert "called warm" in out(capsys, "note", "warm")
    assert "warm: no such archive" in out(capsys, "restore", "warm", code=1)


def test_a_name_can_be_changed_and_taken_off(two: None, capsys: Capture) -> None:
    out(capsys, "note", "rope-1", "--name", "warm")
    out(capsys, "note", "warm", "--name", "warmer")
    assert "no study called 'warm'" in out(capsys, "note", "warm", code=2)
    assert "no note" in out(capsys, "note", "warmer", "--name", "rope-1")
    assert "no study called 'warmer'" in out(capsys, "note", "warmer", code=2)


@pytest.mark.parametrize(
    ("name", "said"),
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
def test_a_name_that_says_something_else_is_refused(
    two: None, capsys: Capture, name: str, said: str
) -> None:
    out(capsys, "note", "swiglu-1", "--name", "taken")
    assert said in out(capsys, "note", "rope-1", "--name", name, code=2)
    with Store() as store:
        assert study_labels.read_labels(store, "rope-1").name == ""


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
    assert "called warmer" in out(capsys, "note", "rope-1")
    out(capsys, "run", "rmsnorm", "swiglu", *small, "--name", "both")
    assert "called both-rmsnorm" in out(capsys, "note", "rmsnorm-1")
    assert "called both-swiglu" in out(capsys, "note", "both-swiglu")
    out(capsys, "run", "rope", *small, "--over", "dropout=0.1,0.2", "--name", "drop")
    assert "called drop-0.2" in out(capsys, "note", "drop-0.2")


def test_a_name_travels_in_an_archive_unless_it_is_taken(
    two: None, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out(capsys, "note", "rope-1", "--name", "warm")
    file = tmp_path / "it.q1lab.zip"
    out(capsys, "export", "warm", "--format", "archive", "--output", str(file))
    out(capsys, "restore", str(file), "--name", "rope-2")
    assert "no note" in out(capsys, "note", "rope-2")
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "elsewhere"))
    out(capsys, "restore", str(file))
    assert "called warm" in out(capsys, "note", "rope-1")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("SwiGLU", ["swiglu-1"]),
        ("#draft", ["rope-1"]),
        ("batch half", ["rope-1"]),
        ("half shakespeare cpu", ["rope-1"]),
        ("n_layer=4", ["rope-1", "swiglu-1"]),
        ("baseline", ["rope-1", "swiglu-1"]),
    ],
)
def test_studies_are_found_by_what_one_remembers(
    two: None, capsys: Capture, words: str, found: list[str]
) -> None:
    out(capsys, "note", "rope-1", "half the batch", "--tag", "draft")
    record = json.loads(out(capsys, "status", words, "--json"))
    assert sorted(study["study"] for study in record["studies"]) == found


def test_a_command_is_found_by_its_program_arguments_and_metric(
    home: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loop = f"{sys.executable} {KIT / 'any_loop.py'} --seed={{seed}} --out={{out}} {{args}}"
    arms = ("--arm", "baseline=", "--arm", "fast=--lr=0.05")
    out(capsys, "run", "--command", loop, *arms, "--metric", "val/loss", "--seeds", "2")
    finish(make_study("rope-1"))
    for words in ("any_loop.py", "lr=0.05", "val/loss fast"):
        record = json.loads(out(capsys, "status", words, "--json"))
        assert [study["study"] for study in record["studies"]] == ["fast-1"]
    listed = out(capsys, "status").splitlines()
    assert any(line.endswith("val/loss (lower is better)") for line in listed)
    assert "cpu preset, shakespeare: val loss (nats; lower is better)" in listed


def test_words_that_nothing_has_are_said_so(two: None, capsys: Capture) -> None:
    assert "no study has 'nowhere' in its name" in out(capsys, "status", "nowhere", code=2)
