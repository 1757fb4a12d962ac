"""A home whose database is gone, hurt or refused: one line, nothing lost, the copy taken up."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from q1lab.app.app import Q1Lab
from q1lab.app.screens.error import ErrorScreen
from q1lab.commands.app import prepare_app
from q1lab.commands.cli import run_command_line
from q1lab.ground.errors import Problem
from q1lab.journal import schema, study_names
from q1lab.journal.store import Store
from q1lab.week import progress
from tests.kit.faults import small_disk
from tests.kit.lab_home import finish, make_study, until

__all__ = ["small_disk"]
Hurt = Callable[[Path], object]


def cut_in_half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def of_a_newer_version(file: Path) -> None:
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA user_version = {schema.FORMAT + 1 << 24}")
    db.close()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


GONE: list[Hurt] = [Path.unlink, lambda file: os.truncate(file, 0)]
HURT: list[tuple[Hurt, str]] = [
    (cut_in_half, "is damaged"),
    (lambda file: file.write_bytes(b"nonsense" * 9000), "is damaged"),
    (of_a_newer_version, "is of a newer q1lab; upgrade q1lab to open it"),
    (a_folder, "it can't be opened; see that it is a file"),
]
COMMANDS = (
    ["status"],
    ["status", "--json"],
    ["compare", "rope-1"],
    ["run", "rope", "--preset", "quick", "--fresh", "--wandb", "disabled"],
    ["paper", "add", "RoFormer"],
)


@pytest.fixture
def kept(home: Path) -> Path:
    """A home with a finished study that was named, and an answer; returns its database."""
    return fill(home)


def fill(home: Path) -> Path:
    finish(make_study("rope-1", seeds=(0,)))
    with Store() as store:
        progress.save_answer(store, "week", "one", "first")
        study_names.give_name(store, "rope-1", "warm")
    return home / "q1lab.db"


def told() -> tuple[str | None, str]:
    """The answer and the name that the home has on record."""
    with Store() as store:
        answer = progress.recorded_progress(store, "week").of("one").answer
        return answer, study_names.name_of(store, "rope-1")


@pytest.mark.parametrize("lose", GONE, ids=["gone", "emptied"])
def test_a_database_that_is_gone_is_made_again_from_the_copy_and_says_so(
    kept: Path, lose: Hurt, capfd: pytest.CaptureFixture[str]
) -> None:
    lose(kept)
    assert run_command_line(["status"]) == 0
    out, err = capfd.readouterr()
    assert "called warm" in out, "the name that was given is lost"
    assert err.count("\n") == 1, f"one line says that the copy was taken up, not: {err}"
    assert "made again from the 2 acts in" in err
    assert told() == ("first", "warm")
    assert run_command_line(["status"]) == 0
    assert capfd.readouterr().err == "", "it is said once"


def test_lines_of_the_copy_that_cannot_be_read_are_counted(
    kept: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept.unlink()
    with kept.with_name("acts.jsonl").open("ab") as copy:
        copy.write(b'\xff\n{"act": "answ')
    assert run_command_line(["status"]) == 0
    assert "the 2 acts in" in (err := capfd.readouterr().err), err
    assert "2 of its lines can't be read" in err
    assert told() == ("first", "warm")


@pytest.mark.parametrize(("hurt", "reason"), HURT, ids=["cut", "garbage", "newer", "folder"])
def test_a_hurt_database_is_one_line_and_stays_as_it_is(
    kept: Path, hurt: Hurt, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    hurt(kept)
    before = kept.read_bytes() if kept.is_file() else b""
    for words in COMMANDS:
        assert run_command_line(words) == 1, f"{words} must fail"
        out, err = capfd.readouterr()
        *waiting, line = err.splitlines()
        assert len(waiting) <= (words[0] == "run"), f"{words} prints more than a line: {err}"
        assert str(kept) in line, f"{words} does not say where: {line}"
        assert reason in line, f"{words} does not say what: {line}"
        assert "; " in line, f"{words} does not say what to do: {line}"
        assert "--json" not in words or json.loads(out)["error"] == "failed"
    assert (kept.read_bytes() if kept.is_file() else b"") == before, "it was written over"
    kept.rename(kept.with_name("away"))
    assert told() == ("first", "warm"), "what the line advises must bring everything back"


def test_without_a_copy_a_damaged_database_is_not_called_replaceable(
    kept: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cut_in_half(kept)
    kept.with_name("acts.jsonl").unlink()
    assert run_command_line(["status"]) == 1
    assert "no acts.jsonl is there" in (err := capfd.readouterr().err), err


@pytest.fixture
def held(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Another program's connection, which holds the database for longer than q1lab waits."""
    monkeypatch.setattr("q1lab.journal.database.SILENT_SECONDS", 0.05)
    monkeypatch.setattr("q1lab.journal.database.WAIT_SECONDS", 0.3)
    holder = sqlite3.connect(kept, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    yield holder
    holder.close()


def test_a_database_that_another_program_holds_is_waited_for_and_then_one_line(
    kept: Path, held: sqlite3.Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    waits = f"waiting for another program, which holds {kept} …"
    for words in (["status"], ["paper", "add", "RoFormer"]):
        assert run_command_line(words) == 1
        waiting, line = capfd.readouterr().err.splitlines()
        assert waiting == waits, "it waits for seconds without a word"
        assert "another program holds it; close what has it open and try again" in line
    with pytest.raises(Problem, match="another program holds it"):
        prepare_app(None, None)
    assert capfd.readouterr().err.splitlines() == [waits], "the app is blank without a word"
    free = threading.Timer(0.1, held.execute, ["ROLLBACK"])
    free.start()
    assert run_command_line(["paper", "add", "RoFormer"]) == 0, "it is free in time"
    assert capfd.readouterr().err.splitlines()[0] == waits
    free.join()


async def test_the_open_app_says_what_it_waits_for_and_then_what_holds_it(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("q1lab.journal.database.WAIT_SECONDS", 0.5)
    setup = prepare_app(None, None)
    holder = sqlite3.connect(kept, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    async with Q1Lab(setup).run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "waiting for another program" in pilot.app.notice[0])
        await until(pilot, lambda: isinstance(pilot.app.screen, ErrorScreen))
        await pilot.pause(3)  # it looks several times
        (said,) = [each.text for each in pilot.app.screen_stack if isinstance(each, ErrorScreen)]
        assert "another program holds it; close what has it open" in said
        holder.close()
        await until(pilot, lambda: len(pilot.app.snapshot.studies) == 1)


def test_a_home_that_cannot_be_written_blames_no_study(
    small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = fill(small_disk / "home")  # (the study is not in the tables yet)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for words in (["status"], ["status", "--json"], ["paper", "add", "RoFormer"]):
        assert run_command_line(words) == 1, words
        out, err = capfd.readouterr()
        assert err.count("\n") == 1, err
        assert f"cannot use {file}: it can't be written; choose a home" in err
        assert "rope-1" not in out, "the study can be read"
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert told() == ("first", "warm")


def test_a_full_disk_and_a_limit_on_files_lose_nothing_and_are_one_line(
    kept: Path, small_disk: Path
) -> None:
    def typed(home: Path, *words: str, limit: int | None = None) -> tuple[int, str]:
        most = resource.RLIM_INFINITY if limit is None else limit
        done = subprocess.run(
            [sys.executable, "-m", "q1lab", *words],
            env={**os.environ, "Q1LAB_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    code, line = typed(kept.parent, "paper", "add", "RoFormer", limit=8192)
    assert (code, line.count("\n")) == (1, 1), line
    assert "the disk refuses to read or write it; see that there is room" in line
    assert typed(kept.parent, "paper", "add", "RoFormer")[0] == 0
    fill(small_disk / "home")
    with (small_disk / "all").open("wb", buffering=0) as full, contextlib.suppress(OSError):
        while full.write(bytes(512)):
            pass
    code, line = typed(small_disk / "home", "paper", "add", "RoFormer")
    assert (code, line.count("\n")) == (1, 1), line
    assert "the disk is full; free some space" in line
    (small_disk / "all").unlink()
    assert typed(small_disk / "home", "paper", "add", "RoFormer")[0] == 0


@pytest.mark.parametrize("fault", ["removed", "behind", "torn"])
def test_a_copy_that_lacks_acts_gets_them_with_the_next_one(kept: Path, fault: str) -> None:
    """As after a full disk under the copy alone: without this, a later loss of the database would
    take with it what the copy had missed."""
    copy = kept.with_name("acts.jsonl")
    whole = copy.read_bytes()
    if fault == "removed":
        copy.unlink()
    else:
        copy.write_bytes(whole[: whole.index(b"\n") + 1 + 9 * (fault == "torn")])
    with Store() as store:
        progress.save_answer(store, "week", "two", "second")
    kept.unlink()
    assert told() == ("first", "warm")


def test_what_stands_in_the_copy_alone_is_kept(kept: Path) -> None:
    """As where an older database was put back from a backup."""
    shutil.copy(kept, kept.with_name("older.db"))
    with Store() as store:
        progress.save_answer(store, "week", "two", "newer")
    kept.with_name("older.db").rename(kept)
    with Store() as store:
        progress.save_answer(store, "week", "three", "after")
    kept.unlink()
    with Store() as store:
        records = progress.recorded_progress(store, "week").records
    assert [records[step].answer for step in ("two", "three")] == ["newer", "after"]


def test_after_an_upgrade_the_tables_are_made_again_from_the_acts(
    kept: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    db = sqlite3.connect(kept, isolation_level=None)
    db.execute("PRAGMA user_version = 1")
    db.execute("ALTER TABLE names RENAME COLUMN name TO title")
    db.execute("CREATE VIEW of_ones_own AS SELECT * FROM names")
    db.execute("CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    db.close()
    assert told() == ("first", "warm")
    assert run_command_line(["status"]) == 0
    out, err = capfd.readouterr()
    assert "called warm" in out
    assert err == "", "nothing was lost, and nothing is to be done"
