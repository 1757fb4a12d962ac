"""Room for many studies: one that can't be read stops no other, and what a kill may lose is one
step."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from q1lab.app.snapshot_taker import SnapshotReader
from q1lab.commands import cli
from q1lab.journal import ingest_events, study_view
from q1lab.journal.store import Store
from q1lab.study import studies
from tests.kit import lab_home


def damage(name: str, **changes: Any) -> None:
    """Write other values into a study's plan; ``a__b`` names a field inside a field, and an empty
    name the whole file: its bytes, or None for a folder in its place."""
    file = studies.paths.study_dir(name) / "study.json"
    if "" in changes:
        file.unlink()
        file.mkdir() if changes[""] is None else file.write_bytes(changes[""])
        return
    plan = json.loads(file.read_text())
    for key, value in changes.items():
        *path, last = key.split("__")
        part = plan
        for each in path:
            part = part[each]
        part[last] = value
    file.write_text(json.dumps(plan))


NONSENSE: list[tuple[str, Any, str]] = [
    ("data__sha256", None, "data.sha256: expected `str`, got `null`"),
    ("arms__baseline__source", "../../etc/passwd", "names a file outside its folder"),
    ("jobs", True, "jobs: expected `int`, got `bool`"),
    ("looks", [[0, 1, 0]], "looks holds no seed, or one of them twice"),
    ("config__max_iters", 1 << 63, "is too large"),
    ("config__learning_rate", "1e-3", "config learning_rate: expected `float`, got `str`"),
    ("prediction", {"matters": "much"}, "prediction matters: expected `float | null`, got `str`"),
    ("looks", [[-1]], "looks[0][0]: expected `int` >= 0"),
    ("data__file", "../../secret.txt", "data: file is '../../secret.txt', not the text"),
    ("data__file", f"data/{'0' * 64}.txt", "not the text of its sha256"),
    ("versions", {"torch": "2.9 evil"}, "versions: torch is '2.9 evil', not a version"),
    ("id", "../../x", "it is the plan of"),
    ("arms", {}, "arms holds none"),
    ("config__max_iters", 0, "config has no max_iters, or 0"),
    ("v", 99, "is of a newer q1lab"),
    ("", b"\x00\xff\x80", "'utf-8' codec"),
    ("", b"", "Expecting value"),
    ("", b'{"v": 2, "id": "bad-1", "created"', "Expecting ':'"),
    ("", b"[" * 200_000, "nested too deep"),
    ("", None, "a folder, not a file"),
]
"""A field of a plan, a value that it can't have, and what is said of it."""


@pytest.mark.parametrize(("field", "value", "reason"), NONSENSE)
def test_a_plan_that_says_nonsense_is_one_line_and_stops_no_other(
    field: str, value: Any, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = lab_home.make_study("good-1", seeds=(0,))
    lab_home.finish(good)
    lab_home.make_study("bad-1", seeds=(0,))
    with Store() as store:
        ingest_events.ingest_all(store)
    damage("bad-1", **{field: value})
    assert cli.run_command_line(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (status_line,) = [line for line in lines if "bad-1" in line]
    assert status_line.startswith("✗ bad-1 can't be read: ")
    assert reason in status_line
    assert any(line.startswith("good-1: rope against baseline") for line in lines)
    assert cli.run_command_line(["compare", "good-1"]) == 0
    for command in ("compare", "attach", "stop", "diff"):
        capsys.readouterr()
        assert cli.run_command_line([command, "bad-1"]) in (1, 2), command
        assert capsys.readouterr().err.count("\n") == 1, command
    with Store() as store:
        snapshot = SnapshotReader("week").read_snapshot(store)
    assert [(line.id, line.state) for line in snapshot.studies] == [
        ("good-1", "finished"),
        ("bad-1", "unreadable"),
    ]
    assert reason in str(snapshot.studies[1].problem)
    assert snapshot.focus is not None
    assert snapshot.focus.row.id == "good-1", "the newest that can be read"


def test_a_plan_that_is_right_again_is_read_again() -> None:
    study = lab_home.make_study("gqa-1", variant="gqa", seeds=(0,))
    whole = study.files.plan.read_bytes()
    study.files.plan.write_bytes(whole[:100])
    reader = SnapshotReader("week")
    with Store() as store:
        (line,) = reader.read_snapshot(store).studies
        assert line.state == "unreadable"
        study.files.plan.write_bytes(whole)
        reader._scanned = float("-inf")
        (line,) = reader.read_snapshot(store).studies
    assert (line.state, line.problem) == ("planned", None)


def test_a_study_whose_folder_is_gone_is_gone_from_the_picture(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = lab_home.make_study("gqa-1", variant="gqa", seeds=(0,))
    with Store() as store:
        ingest_events.ingest_all(store)
        assert len(study_view.read_study_rows(store)) == 1
        study.files.root.rename(study.files.root.parent.parent / "elsewhere")
        assert ingest_events.ingest_all(store) == {}
        assert study_view.read_study_rows(store) == ()


def test_texts_of_a_plan_reach_no_terminal_as_they_are() -> None:
    study = lab_home.make_study("rope-1", seeds=(0,))
    damage("rope-1", data__name="\x1b]0;owned\x07\x1b[31mred\ud800", preset="a\nb")
    reloaded = studies.load("rope-1")
    assert (reloaded.data.name, reloaded.trainer.preset) == ("red?", "a b")
    assert study.seeds == reloaded.seeds


# ── steps


def test_a_settled_study_costs_no_look_into_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    lab_home.finish(lab_home.make_study("rope-1", seeds=(0,)))
    with Store() as store:
        ingest_events.ingest_all(store)
    opened: list[str] = []
    real = studies.load
    monkeypatch.setattr(studies, "load", lambda name: opened.append(name) or real(name))
    with Store() as store:
        ingest_events.ingest_all(store)
    assert opened == []
    os.utime(studies.paths.study_dir("rope-1") / "study.json", ns=(1, 1))
    with Store() as store:
        ingest_events.ingest_all(store)
    assert "rope-1" in opened, "a plan that changed is read"


def test_many_records_are_counted_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an index was lost: whoever waits sees that it goes on."""
    monkeypatch.setattr(ingest_events, "MANY", 5)
    for number in range(10):
        lab_home.make_study(f"rope-{number}", seeds=(0,))
    said: list[str] = []
    with Store(on_wait=said.append) as store:
        ingest_events.ingest_all(store)
        assert len(said) == 5, "nothing is seen of the work"
        ingest_events.ingest_all(store)
        assert len(said) == 5, "what was read is said to be read again"


def test_documents_and_exports_leave_out_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab_home.finish(lab_home.make_study("good-1", seeds=(0, 1)))
    lab_home.make_study("bad-1", seeds=(0,))
    damage("bad-1", created=12)
    assert cli.run_command_line(["export", "--all", str(tmp_path / "all.json")]) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if "bad-1" in line]
    assert "good-1" in (tmp_path / "all.json").read_text()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    code = cli.run_command_line(["retro", "--repo", str(tmp_path), "--no-commit", "--yes"])
    output = capsys.readouterr()
    assert code == 0, output.err
    (warning,) = [line for line in output.err.splitlines() if "bad-1" in line]
    assert "left out" in warning
