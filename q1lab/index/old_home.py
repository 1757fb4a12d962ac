"""Taking over a home of q1lab 0.1.0, which kept what the learner typed in the database alone.

It is done once: every row becomes a line of the journal, all written in one piece. The database of
then stays beside as ``q1lab.0.1.db``, marked so that the old program refuses it in words. Whenever
this is cut off, it begins from the start. So it is with the files in which questions, deletions and
labels were kept before they were acts of the journal.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab import paths
from q1lab.errors import FAILED, Problem, notice
from q1lab.files import (
    is_locked,
    plain,
    proved,
    read_bytes,
    read_shown_json,
    sha256_json,
    sync_folder,
    utc_now,
    write_atomic,
)
from q1lab.index import journal, journal_tables, labels
from q1lab.index.journal import Body
from q1lab.study import studies
from q1lab.study.liveness import has_runner

if TYPE_CHECKING:
    from q1lab.index.store import Store

OLD_SCHEMA = 3
TAKEN_OVER = "take over"
"""The act that begins a journal made here."""

Row = Mapping[str, Any]


def take_over(database: Path, file: Path) -> str | None:
    """Write what an old database holds into the journal ``file``, and keep the database beside.
    Returns what was taken over, in one line; None when there is nothing to take over. Problem while
    the old program is still at work."""
    version = _version(database)
    old = version is not None and 0 < version <= OLD_SCHEMA
    if _has_acts_of_its_own(file):
        if old:  # put back by hand beside a journal that has gone on since
            return f"{_keep(database).name} is an older database; the journal went on without it"
        return None
    if not old and (file.exists() or not _rows_were_kept(database)):
        return None
    _wait_for_the_old_program(database)
    rows, damaged = _read(database)
    bodies = list(_acts(rows))
    first: Body = {"act": TAKEN_OVER, "at": utc_now(), "from": "0.1.0", "lines": len(bodies)}
    write_atomic(file, journal.encoded([first, *bodies], journal.START))
    _take_over_timer(rows, file.with_name(paths.TIMER))
    kept = f"; the database before is {_keep(database).name}" if database.exists() else ""
    missing = f", without {', '.join(damaged)} (they could not be read)" if damaged else ""
    return f"what you ticked and wrote is now in {file.name} ({len(bodies)} rows{missing}){kept}"


def _version(database: Path) -> int | None:
    """The schema's number; None where there is no database, or none that can be read."""
    try:
        with contextlib.closing(_open(database)) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except (sqlite3.Error, OSError):
        return None


def _open(database: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def _has_acts_of_its_own(file: Path) -> bool:
    """Whether the journal holds more than what was once written here."""
    try:
        lines = journal.read(file).lines
    except OSError:
        return True  # whatever it is, it is not to be replaced
    first = (lines[0].body if lines else None) or {}
    written = first.get("lines") if first.get("act") == TAKEN_OVER else -1
    return not isinstance(written, int) or len(lines) > written + 1


def _rows_were_kept(database: Path) -> bool:
    """Whether an old q1lab was here: a damaged database of it, or a copy that it made."""
    return (database.exists() and database.stat().st_size > 0) or _copy(database).exists()


def _copy(database: Path) -> Path:
    """Where 0.1.0 kept a copy of the learner's tables."""
    return database.with_name(f"{database.stem}.copy-1.json")


def _wait_for_the_old_program(database: Path) -> None:
    for study_id in studies.ids():
        if has_runner(paths.StudyPaths(paths.study_dir(study_id))):
            raise Problem(
                f"{study_id} is being trained by an earlier version of q1lab",
                FAILED,
                next="open this one when it has ended",
            )
    if is_locked(database.with_name("timer.lock")):
        raise Problem(
            "an earlier version of q1lab is open", FAILED, next="close it, and run this again"
        )


def _keep(database: Path) -> Path:
    """Keep the old database beside, with a version that the old program refuses in words."""
    kept = database.with_name(f"{database.stem}.0.1{database.suffix}")
    number = 1
    while kept.exists():
        number += 1
        kept = database.with_name(f"{database.stem}.0.1-{number}{database.suffix}")
    part = kept.with_name(f".{kept.name}.part")
    shutil.copyfile(database, part)
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_open(part)) as db, db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('q1lab', 'journal', ?)",
            (utc_now(),),
        )
        db.execute(f"PRAGMA user_version = {OLD_SCHEMA + 1}")
    part.chmod(0o600)
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(kept)
    sync_folder(kept.parent)
    return kept


# ── reading


def _read(database: Path) -> tuple[dict[str, list[Row]], list[str]]:
    """The learner's rows by table, and the tables that could not be read whole. What a damaged
    table doesn't give comes from the copy that the old program made of it every minute."""
    copied = _copied(database)
    rows: dict[str, list[Row]] = {}
    damaged = []
    for table in journal_tables.ROWS:
        found: list[Row] = []
        try:
            with contextlib.closing(_open(database)) as db:
                for row in db.execute(f"SELECT * FROM {table} ORDER BY rowid"):
                    found.append(dict(row))
        except (sqlite3.Error, OSError):
            if len(copied.get(table, ())) >= len(found) and table in copied:
                found = copied[table]
            else:
                damaged.append(table)
        rows[table] = found
    return rows, damaged


def _copied(database: Path) -> dict[str, list[Row]]:
    try:
        _, _, body = _copy(database).read_text("utf-8").partition("\n")
        tables = json.loads(body)
        return {str(name): [dict(row) for row in rows] for name, rows in tables.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


LOOKED_UP_AGAIN = ("evidence", "clock", "offered")
"""Settings that are not taken over: what they said is found again, or kept elsewhere."""


def _acts(rows: Mapping[str, list[Row]]) -> Iterator[Body]:
    """One act a row: it puts the row into its table as it was."""
    for table in journal_tables.ROWS:
        for row in rows[table]:
            if table != "settings" or row["key"].partition(":")[0] not in LOOKED_UP_AGAIN:
                yield {"act": "row", "at": utc_now(), "table": table, "row": dict(row)}


def _take_over_timer(rows: Mapping[str, list[Row]], file: Path) -> None:
    """The timer as it stood, with its open question."""
    for row in rows["settings"]:
        kind, _, week = str(row.get("key")).partition(":")
        if kind == "clock" and not file.exists():
            with contextlib.suppress(ValueError):
                clock = json.loads(row["value"])
                write_atomic(file, json.dumps({week: {"entry": 0, "clock": clock}}) + "\n")


# ── the files beside the database


def take_over_files(store: Store) -> str | None:
    """Write the questions, deletions and labels that were kept in files of their own into the
    journal, and move these files aside. Returns what was taken over, in one line; None when there
    is none of them. A line that the journal has already is not written again."""
    home = store.journal.parent
    labelled = sorted((home / "studies").glob("*/labels.json"))
    files = [file for file in (home / "questions.jsonl", home / "deleted.jsonl") if file.exists()]
    if not (labelled or files):
        return None
    with store.act() as add:
        lines = journal.read(store.journal).lines
        said = [line.body for line in lines if line.body is not None]
        known = {sha256_json({key: body[key] for key in body if key != "who"}) for body in said}
        bodies = [*_begun(home), *_deleted(home), *_labels(labelled)]
        for body in bodies:
            if sha256_json(body) not in known:  # (which said nothing of who acted)
                add(body["act"], **{key: body[key] for key in body if key != "act"})
    for file in (*files, *labelled):
        with contextlib.suppress(Problem):  # one behind a link stays where it is
            proved(file, home).replace(file.with_suffix(f".0.1{file.suffix}"))
    count = f"{len(bodies)} line{'' if len(bodies) == 1 else 's'}"
    return f"your questions, deletions and labels are now in {store.journal.name} ({count})"


def _begun(home: Path) -> Iterator[Body]:
    """A line that can't be read may have been a question."""
    for line in _json_lines(home / "questions.jsonl"):
        yield {"act": "begin", "at": str(line.get("at", "")), "plan": _plan(line)}


def _deleted(home: Path) -> Iterator[Body]:
    for line in _json_lines(home / "deleted.jsonl"):
        if isinstance(line.get("id"), str):
            runs = line.get("runs")
            yield {
                "act": "delete",
                "at": str(line.get("deleted", "")),
                "study": plain(line["id"]),
                "plan": _plan(line),
                "runs": runs if isinstance(runs, dict) else {},
            }


def _plan(line: Mapping[str, Any]) -> dict[str, Any] | None:
    plan = line.get("plan") if line.get("v", 1) == 1 else {}
    good = isinstance(plan, dict) and all(type(plan.get(key)) is str for key in ("id", "created"))
    return plan if good else None


def _labels(files: Iterable[Path]) -> Iterator[Body]:
    for file in files:
        try:
            found = labels.of_record(read_shown_json(file, 1 << 20))
        except (OSError, ValueError):
            notice(f"{file} can't be read: these labels are left out")
            continue
        at = datetime.fromtimestamp(int(file.stat().st_mtime), UTC).isoformat()
        what = {"study": file.parent.name, "note": found.note, "tags": list(found.tags)}
        yield {"act": "label", "at": at, **what}


def _json_lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, an empty one for a line that holds none."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for raw in filter(bytes.strip, read_bytes(file, 1 << 30).split(b"\n")):
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError):
                line = None
            found.append(line if isinstance(line, dict) else {})
    return found
