"""Disks that are full and disks that lie: a clear message, nothing overwritten, nothing lost that
can be read."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.commands.cli import run_command_line
from q1lab.ground.errors import Problem
from q1lab.journal.store import Store
from q1lab.study import studies
from q1lab.train import launch
from q1lab.week import progress
from tests.kit.commands import q1lab
from tests.kit.faults import faulty, figures, read, small_disk, tiny
from tests.kit.lab_home import make_study
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

__all__ = ["faulty", "small_disk"]
LONG = pytest.mark.long, pytest.mark.timeout(1200)
Faulty = Callable[..., Path]
SMALL = ("--preset", "quick", "--max-iters", "20", "--wandb", "disabled")

# ── a full disk

RESUMES = "a clear message; resumes once there is space"


def fill(mount: Path) -> Path:
    """Take all the space that is left."""
    ballast = mount / "ballast"
    out = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(out, bytes(4096))
    os.close(out)
    return ballast


def test_a_full_disk_under_the_database(small_disk: Path) -> None:
    with Store() as store:
        progress.save_answer(store, "week", "before", "kept")
        ballast = fill(small_disk)
        with pytest.raises(Problem) as raised:
            progress.save_answer(store, "week", "much", "x" * 100_000)
        assert progress.recorded_progress(store, "week").records["before"].answer == "kept"
        ballast.unlink()
        progress.save_answer(store, "week", "after", "kept")
    with Store() as store:
        records = progress.recorded_progress(store, "week").records
        assert store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert "full" in str(raised.value)
    assert (records["before"].answer, records["after"].answer) == ("kept", "kept")
    figures(
        "a full disk under the database",
        RESUMES,
        f"“{str(raised.value).partition(': ')[2].split(';')[0]}”; 0 rows lost",
    )


def test_a_full_disk_leaves_no_half_of_a_study(
    small_disk: Path, faulty: Faulty, tmp_path: Path
) -> None:
    faulty(fake=True)
    q1lab("status")
    words = tiny(tmp_path, iters=9)
    with Store():
        ballast = fill(small_disk)
        done = q1lab(*words, code=None)
    assert done.returncode == 1
    assert "full" in done.stderr
    left = [str(path) for path in (small_disk / "home" / "studies").glob("*")]
    assert left == []
    ballast.unlink()
    refused = q1lab(*words, "--seeds", "200", code=1).stderr
    assert "400 runs need about" in refused, "a study that can't end begins"
    assert studies.ids() == []
    q1lab(*words)
    assert studies.ids() == ["rope-1"]
    figures(
        "a full disk under a new study",
        "a clear message, no half-written study",
        f"“the disk is full”, {len(left)} half studies left",
    )


@pytest.mark.parametrize("under", ["events", pytest.param("a checkpoint", marks=LONG)])
def test_a_full_disk_under_a_run(
    small_disk: Path, faulty: Faulty, tmp_path: Path, under: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training meets the full disk, says so, keeps its old checkpoint, and goes on once there is
    space."""
    faulty()
    every = 10 if under == "events" else 500
    words = tiny(tmp_path, iters=60_000, eval_interval=200, log_interval=every)
    words += ["--jobs", "1"]
    q1lab(*words, "--detach")
    study = studies.load("rope-1")
    run = study.files.run("baseline-seed0")
    wait_for(lambda: len(list(run.checkpoints.glob("iter-*.pt"))) >= 2, seconds=120)
    saved = max(run.checkpoints.glob("iter-*.pt"))
    while launch.is_alive(study.files) and read(study, "baseline-seed0")[-1]["type"] != "exit":
        ballast = fill(small_disk)  # also what an old checkpoint leaves
        time.sleep(0.05)
    launch.stop_study(study)
    event = read(study, "baseline-seed0")[-1]
    assert event["state"] == "failed", event
    assert "disk is full" in event["message"]
    status = q1lab("status", code=None)  # the database is on the full disk too
    assert "full" in status.stdout + status.stderr
    ballast.unlink()
    assert "disk is full" in q1lab("status").stdout
    launch.start_runner(study)
    wait_for(lambda: sum(e["type"] == "start" for e in read(study, "baseline-seed0")) == 2)
    second_start = [e for e in read(study, "baseline-seed0") if e["type"] == "start"][-1]
    launch.stop_study(study)
    assert second_start["resumed_from"] >= int(saved.name.split("-")[1])
    figures(
        f"a full disk under {under}",
        RESUMES,
        f"“{event['message'].partition(' (')[0]}”; the old checkpoint loads and resumes from iter "
        f"{second_start['resumed_from']}",
    )


# ── a file system without locks


def test_a_home_without_locks_is_one_line(
    home: Path, faulty: Faulty, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """NFS whose server has no lockd answers so. (None can be mounted here.)"""
    faulty(fake=True)
    make_study()

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert run_command_line(["run", "rope", *SMALL]) == 1
    *_, line = capfd.readouterr().err.splitlines()
    assert "its file system has no locks; choose a folder on one that has (Q1LAB_HOME)" in line


# ── a damaged database (that it loses nothing is tests/journal/test_journal.py's)


def test_damage_met_in_the_middle_of_a_command_is_one_line_and_mended_when_it_is_away(
    home: Path, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(fake=True)
    q1lab("run", "rope", *SMALL, "--json")
    with Store() as store:
        progress.save_answer(store, "week", "one", "first")
        root = store.db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'runs'"
        ).fetchone()[0]
    data = bytearray((home / "q1lab.db").read_bytes())
    data[(root - 1) * 4096 : (root - 1) * 4096 + 8] = b"\xff" * 8
    data += bytes(5 << 20)  # too large to be checked at every opening
    pages = len(data) // 4096
    data[28:32] = pages.to_bytes(4, "big")
    (home / "q1lab.db").write_bytes(data)
    done = q1lab("status", code=1)
    assert "damaged" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    (home / "q1lab.db").rename(home / "damaged.db")
    next_status = q1lab("status")
    assert "6 of 6 runs done" in next_status.stdout
    with Store() as store:
        assert progress.recorded_progress(store, "week").of("one").answer == "first"


def test_an_outsiders_tables_are_no_damage(home: Path) -> None:
    with Store() as store:
        progress.save_answer(store, "week", "one", "first")
        store.db.executescript(
            "CREATE TABLE mine (a); CREATE INDEX i ON runs (state); CREATE VIEW v AS SELECT 1;"
        )
    with sqlite3.connect(home / "q1lab.db") as db:
        db.execute("VACUUM")
    db.close()
    with Store() as store:
        assert progress.recorded_progress(store, "week").of("one").answer == "first"
        assert store.db.execute("SELECT count(*) FROM mine").fetchone()[0] == 0
