"""Disks that are full and disks that lie: a clear message, nothing overwritten, nothing lost that
can be read."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab.errors import NOTICES, Problem
from q1lab.index import health, ingest, learned, rescue
from q1lab.index.store import Store
from q1lab.study import launch, studies
from q1lab.week import progress
from tests.kit.faults import TINY, corpus, faulty, figures, q1lab, read, tables
from tests.kit.waiting import wait_for

__all__ = ["faulty"]
LONG = pytest.mark.long, pytest.mark.timeout(1200)
Faulty = Callable[..., Path]
SMALL = ("--preset", "quick", "--max-iters", "20", "--wandb", "disabled")
OWN = ("step_records", "part_times", "settings", "papers", "posts", "shares", "predictions")


# ── a full disk


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Q1LAB_HOME on a file system of 4 MB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux, to mount a small file system")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "q1lab-test", str(mount)], check=False
    )
    if done.returncode:
        pytest.skip("cannot mount a small file system here")
    monkeypatch.setenv("Q1LAB_HOME", str(mount / "home"))
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


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
        progress.answer(store, "week", "before", "kept")
        ballast = fill(small_disk)
        with pytest.raises(Problem) as raised:
            progress.answer(store, "week", "much", "x" * 100_000)
        assert progress.read(store, "week").records["before"].answer == "kept"
        ballast.unlink()
        progress.answer(store, "week", "after", "kept")
    with Store() as store:
        records = progress.read(store, "week").records
        assert store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert "full" in str(raised.value)
    assert (records["before"].answer, records["after"].answer) == ("kept", "kept")
    figures(
        "a full disk",
        under="the database",
        message=str(raised.value).partition(": ")[2][:60],
        lost=0,
    )


def test_a_full_disk_leaves_no_half_of_a_study(
    faulty: Faulty, small_disk: Path, tmp_path: Path
) -> None:
    faulty(fake=True)
    q1lab("status")
    words = (
        "run",
        "rope",
        *TINY,
        "--data",
        str(corpus(tmp_path)),
        "--seeds",
        "1",
        "--max-iters",
        "9",
    )
    with Store():
        ballast = fill(small_disk)
        done = q1lab(*words, code=None)
    assert done.returncode == 1
    assert "full" in done.stderr
    left = [str(path) for path in (small_disk / "home" / "studies").glob("*")]
    assert left == []
    ballast.unlink()
    q1lab(*words)
    assert studies.ids() == ["rope-1"]
    figures("a full disk under a new study", message="the disk is full", half_studies=len(left))


@pytest.mark.parametrize("under", ["events", pytest.param("a checkpoint", marks=LONG)])
def test_a_full_disk_under_a_run(
    faulty: Faulty, small_disk: Path, tmp_path: Path, under: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training meets the full disk, says so, keeps its old checkpoint, and goes on once there is
    space."""
    faulty()
    words = [
        "run",
        "rope",
        *TINY,
        "--data",
        str(corpus(tmp_path)),
        "--seeds",
        "1",
        "--jobs",
        "1",
        "--max-iters",
        "60000",
        "--set",
        "eval_interval=500",
        "--set",
        f"log_interval={10 if under == 'events' else 500}",
    ]
    q1lab(*words, "--detach")
    study = studies.load("rope-1")
    run = study.files.run("baseline-seed0")
    wait_for(lambda: len(list(run.checkpoints.glob("iter-*.pt"))) >= 2)
    saved = max(run.checkpoints.glob("iter-*.pt"))
    while launch.is_alive(study.files) and read(study, "baseline-seed0")[-1]["type"] != "exit":
        ballast = fill(small_disk)  # also what an old checkpoint leaves
        time.sleep(0.05)
    launch.stop(study)
    event = read(study, "baseline-seed0")[-1]
    assert event["state"] == "failed", event
    assert "disk is full" in event["message"]
    status = q1lab("status", code=None)  # the database is on the full disk too
    assert "full" in status.stdout + status.stderr
    ballast.unlink()
    assert "the disk is full" in q1lab("status").stdout
    launch.start(study)
    wait_for(lambda: sum(e["type"] == "start" for e in read(study, "baseline-seed0")) == 2)
    again = [e for e in read(study, "baseline-seed0") if e["type"] == "start"][-1]
    launch.stop(study)
    assert again["resumed_from"] >= int(saved.name.split("-")[1])
    figures(
        "a full disk",
        under=under,
        message=event["message"].partition(" (")[0],
        goes_on_from_iter=again["resumed_from"],
    )


# ── a damaged database


def fill_week(store: Store, seed: int = 0) -> None:
    """A week's worth of what a learner types, some of it long and in several scripts."""
    rng = random.Random(seed)
    with store.write() as db:
        for n in range(40):
            progress.answer(
                store, "week", f"step-{n}", f"réponse {n} 🙂 " + "ab " * rng.randrange(300)
            )
            learned.add_seconds(store, "week", {f"part-{n}": n * 7.5})
        progress.answer(store, "week", "essay", "L" * 30_000)
        now = "2026-03-07T10:00:00+00:00"
        for n in range(6):
            db.execute(
                "INSERT INTO papers (title, added, notes) VALUES (?, ?, ?)",
                (f"paper {n}", now, "n" * n),
            )
            db.execute(
                "INSERT INTO posts (week, title, updated) VALUES ('w', ?, ?)", (f"post {n}", now)
            )
            db.execute("INSERT INTO shares VALUES (?, 'mail', NULL, ?)", (n + 1, now))
            db.execute(
                "INSERT INTO predictions (week, variant, direction, created) VALUES ('w', 'rope', "
                "'lower', ?)",
                (now,),
            )


def own(store: Store) -> dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]:
    """The learner's rows by their keys."""
    found = {}
    for table in OWN:
        keys = [row[1] for row in store.db.execute(f"PRAGMA table_info({table})") if row[5]]
        found[table] = {
            tuple(row[key] for key in keys): tuple(row)
            for row in store.db.execute(f"SELECT * FROM {table}")
        }
    return found


def put(home: Path, data: bytes) -> None:
    for old in [*home.glob("q1lab.db*"), *home.glob("q1lab.damaged*")]:
        old.unlink()
    (home / "q1lab.db").write_bytes(data)


def damage(kind: str, good: bytes, rng: random.Random) -> bytes:
    data = bytearray(good)
    match kind:
        case "50 bit flips":
            for _ in range(50):
                bit = rng.randrange(len(data) * 8)
                data[bit // 8] ^= 1 << bit % 8
        case "1 bit flip":
            bit = rng.randrange(len(data) * 8)
            data[bit // 8] ^= 1 << bit % 8
        case "1 bit flip in the header or schema":
            pages = rescue.schema_pages(good)
            at = (
                rng.randrange(health.HEADER)
                if rng.random() < 0.5
                else rng.randrange(4096 * len(pages))
            )
            data[(pages[at // 4096] - 1) * 4096 + at % 4096] ^= 1 << rng.randrange(8)
        case "truncation":
            del data[rng.randrange(1, len(data)) :]
        case "0 bytes":
            data.clear()
        case "a page of zeros":
            page = rng.randrange(len(data) // 4096)
            data[page * 4096 : (page + 1) * 4096] = bytes(4096)
        case "not a database":
            data = bytearray(rng.randbytes(20_000))
    return bytes(data)


KINDS = (
    "1 bit flip",
    "1 bit flip in the header or schema",
    "50 bit flips",
    "truncation",
    "0 bytes",
    "a page of zeros",
    "not a database",
)


@pytest.mark.parametrize("trials", [1, pytest.param(50, marks=LONG)])
@pytest.mark.parametrize("copied", [True, False], ids=["with the last copy", "without any copy"])
def test_a_damaged_database(
    faulty: Faulty, home: Path, monkeypatch: pytest.MonkeyPatch, trials: int, copied: bool
) -> None:
    """Moved aside with every byte as it was; runs rebuilt from files; the learner's rows as far as
    can be."""
    faulty(fake=True)
    monkeypatch.setattr(health, "EVERY", 1e9)
    q1lab("run", "rope", *SMALL, "--json")
    with Store() as store:
        fill_week(store)
        time.sleep(1.1)  # a row may be restored from a copy of a later second
        rescue.keep_copy(store.db, store.file)
    truth_runs = tables()
    with Store() as store:
        truth = own(store)
    good = (home / "q1lab.db").read_bytes()
    kept = health.copies(home / "q1lab.db")[0].read_bytes()
    total = sum(map(len, truth.values()))
    for kind in KINDS:
        rng = random.Random(f"{kind} {copied}")
        seen: collections.Counter[str] = collections.Counter()
        for _ in range(trials if kind not in ("0 bytes", "not a database") else min(trials, 3)):
            data = damage(kind, good, rng)
            put(home, data)
            for n, copy in enumerate(health.copies(home / "q1lab.db")):
                copy.unlink(missing_ok=True)
                if copied and n == 0:
                    copy.write_bytes(kept)
            NOTICES.clear()
            found = tables()
            with Store() as store:
                if copied:
                    rescue.keep_copy(store.db, store.file)  # as at the next thing that is typed
                rows = own(store)
                for study_id in studies.ids():
                    ingest.verify(store, studies.load(study_id))
                values = [tuple(row) for row in store.runs("rope-1")]
                aside = sorted(home.glob("q1lab.damaged*.db"))
            seen["trials"] += 1
            seen["moved aside"] += bool(aside)
            if aside:
                assert [path.read_bytes() for path in aside] == [data], "never overwritten"
                assert "untouched" in NOTICES[0]
                assert found == truth_runs, "runs come back from their files"
            assert sorted(values) == sorted(truth_runs["runs"]) or not aside
            seen["own rows lost"] += sum(
                key not in rows[table] for table in OWN for key in truth[table]
            )
            seen["own rows changed"] += sum(
                rows[table].get(key, row) != row
                for table in OWN
                for key, row in truth[table].items()
            )
        figures(
            "a damaged database",
            kind=kind,
            copy="with the last copy" if copied else "without any copy",
            rows_each=total,
            **{key.replace(" ", "_"): n for key, n in seen.items()},
        )
        if copied and kind != "1 bit flip" and kind != "1 bit flip in the header or schema":
            assert seen["own rows lost"] <= seen["trials"] * (2 if "flip" in kind else 0)
        if kind in ("0 bytes", "not a database"):
            assert seen["moved aside"] == seen["trials"]


def test_a_row_that_the_disk_garbled_is_put_right_from_the_copy(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has no checksums: a flipped letter in an answer opens fine. The copy notices."""
    stamps = iter(f"2026-03-07T10:00:{n:02d}+00:00" for n in range(60))
    for module in (learned, rescue):
        monkeypatch.setattr(module, "utc_now", lambda: next(stamps))
    monkeypatch.setattr(health, "EVERY", 0.0)
    with Store() as store:
        progress.answer(store, "week", "one", "the answer that was typed")
        progress.answer(store, "week", "two", "another")
    data = (home / "q1lab.db").read_bytes()
    assert data.count(b"that was typed") == 1
    (home / "q1lab.db").write_bytes(data.replace(b"that was typed", b"that was tyqed"))
    with Store() as store:
        assert progress.read(store, "week").of("one").answer == "the answer that was tyqed"
        progress.answer(store, "week", "two", "changed by the learner")
        records = progress.read(store, "week").records
    assert records["one"].answer == "the answer that was typed"
    assert records["two"].answer == "changed by the learner"


def test_two_that_find_it_damaged_mend_it_once(home: Path) -> None:
    with Store() as store:
        fill_week(store)
        truth = own(store)
    good = (home / "q1lab.db").read_bytes()
    (home / "q1lab.db").write_bytes(good[:5000])
    code = "from q1lab.index.store import Store; s = Store(); print(s.moved_aside is not None)"
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = sorted(child.communicate(timeout=60)[0].strip() for child in both)
    assert said == ["False", "False", "False", "True"]
    assert len(list(home.glob("q1lab.damaged*.db"))) == 1
    with Store() as store:
        assert own(store).keys() == truth.keys()


def test_a_viewer_that_is_open_follows_to_the_new_database(home: Path) -> None:
    """What it ticks after another q1lab moved the damaged file aside goes into the new one."""
    viewer = Store()
    progress.answer(viewer, "week", "one", "first")
    with (home / "q1lab.db").open("r+b") as file:
        file.write(b"XXXX")
    with Store() as other:
        assert other.moved_aside is not None
    progress.answer(viewer, "week", "two", "second")
    viewer.close()
    with Store() as store:
        assert {step: r.answer for step, r in progress.read(store, "week").records.items()} == {
            "one": "first",
            "two": "second",
        }


def test_a_newer_schema_is_left_alone(home: Path) -> None:
    with Store() as store:
        progress.answer(store, "week", "one", "first")
        store.db.execute("PRAGMA user_version = 99")
        store.db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('q1lab', "
            "'m099', '')"
        )
        store.db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('q1lab', "
            "'m098', '')"
        )
    before = (home / "q1lab.db").read_bytes()
    done = q1lab("status", code=1)
    assert "newer q1lab" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (home / "q1lab.db").read_bytes() == before
    assert not list(home.glob("*.damaged*"))
    figures("a newer schema", exit_status=1, bytes_changed=0)


def test_damage_met_in_the_middle_of_a_command_is_one_line_and_mended_by_the_next(
    home: Path, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(fake=True)
    q1lab("run", "rope", *SMALL, "--json")
    with Store() as store:
        fill_week(store)
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
    again = q1lab("status")
    assert "6 of 6 runs done" in again.stdout
    assert "untouched" in again.stderr


def test_a_database_that_is_gone_comes_back_from_the_copy(home: Path) -> None:
    with Store() as store:
        fill_week(store)
        truth = own(store)
        rescue.keep_copy(store.db, store.file)
    (home / "q1lab.db").unlink()
    done = q1lab("status")
    assert "came back from q1lab.copy-1.json" in done.stderr
    with Store() as store:
        assert own(store) == truth


def test_an_outsiders_tables_are_no_damage(home: Path) -> None:
    with Store() as store:
        progress.answer(store, "week", "one", "first")
        store.db.executescript(
            "CREATE TABLE mine (a); CREATE INDEX i ON runs (state); CREATE VIEW v AS SELECT 1;"
        )
    with Store() as store:
        assert store.moved_aside is None
    with sqlite3.connect(home / "q1lab.db") as db:
        db.execute("VACUUM")
    db.close()
    with Store() as store:
        assert store.moved_aside is None


def test_a_rescue_that_is_cut_off_begins_again(home: Path) -> None:
    """Killed at any write of the mending, the next opening still has everything."""
    with Store() as store:
        fill_week(store)
        truth = own(store)
    good = (home / "q1lab.db").read_bytes()
    bad = b"YYYY" + good[4:]
    code = (
        "import os, sys\nfrom q1lab.index import store\nleft = int(sys.argv[1])\n"
        "def trace(frame, event, arg):\n    global left\n"
        "    if frame.f_code.co_name in ('_begin_anew', 'set_aside', 'carry_over', "
        "'write_atomic'):\n"
        "        left -= event == 'line'\n        if left <= 0: os.kill(os.getpid(), "
        "9)\n    return trace\n"
        "sys.settrace(trace)\nstore.Store()\n"
    )
    died = 0
    for left in range(1, 120, 17):
        shutil.rmtree(home)
        home.mkdir()
        (home / "q1lab.db").write_bytes(bad)
        done = subprocess.run(
            [sys.executable, "-c", code, str(left)], capture_output=True, check=False
        )
        died += done.returncode == -9
        with Store() as store:
            assert own(store) == truth, left
        assert bad in [path.read_bytes() for path in home.glob("q1lab.damaged*.db")]
    assert died > 3
