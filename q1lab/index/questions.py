"""What the ledger of questions is read from: what was begun, what the studies on disk say, and how
far their runs came.

A question is on record before its first trainer starts: ``begin`` appends the study's plan, as it
is then, to ``questions.jsonl`` in q1lab's home. So it stays asked when its folder is removed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from q1lab import paths
from q1lab.errors import FAILED, NOTICES, Problem
from q1lab.files import append_line, os_reason, read_lines, utc_now
from q1lab.index.store import Row, Store
from q1lab.study import deleted, studies
from q1lab.study.studies import Study

FORMAT = 1
LARGEST = 1 << 30

Name = tuple[str, str]
"""A study's id and when it was planned: an id may be given again after a folder was removed."""


def name_of(study: Study) -> Name:
    return study.id, study.created


@dataclass(frozen=True)
class Begun:
    """A study on record: its plan as it was last begun, and when each of its batches of seeds was
    (UTC)."""

    study: Study
    at: tuple[str, ...]


def begin(store: Store, study: Study) -> None:
    """Put a study on record with the seeds that it has now, unless it is. Problem when that can't
    be kept: then nothing is to train."""
    known, _ = begun()
    found = known.get(name_of(study))
    if found is not None and len(found.at) >= len(study.looks):
        return
    file = paths.questions_file()
    try:
        append_line(file, {"v": FORMAT, "at": now(store), "plan": study.to_dict()})
    except OSError as error:
        raise Problem(f"cannot write {file}: {os_reason(error)}; nothing begun", FAILED) from None


def begun() -> tuple[dict[Name, Begun], int]:
    """Every study on record, oldest first, and how many lines can't be read: each may have been a
    question. That is one notice at the command's end."""
    file = paths.questions_file()
    try:
        status = file.stat()
    except OSError:
        return {}, 0
    found, bad = _begun((status.st_mtime_ns, status.st_size, status.st_ino))
    if bad:
        lines = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
        notice = (
            f"{file}: line {lines} can't be read, and counts as one more asking of every question. "
            "Put a good copy of the file in its place"
        )
        if notice not in NOTICES:
            NOTICES.append(notice)
    return found, len(bad)


@lru_cache(maxsize=1)
def _begun(stamp: tuple[int, int, int]) -> tuple[dict[Name, Begun], list[int]]:
    """``stamp`` is the file's, so that one that has not changed is read once."""
    try:
        lines, bad = read_lines(paths.questions_file(), LARGEST)
    except OSError as error:
        raise Problem(f"cannot read {paths.questions_file()}: {os_reason(error)}", FAILED) from None
    found: dict[Name, Begun] = {}
    for number, line in lines.items():
        study = _plan(json.dumps(line.get("plan"))) if line.get("v") == FORMAT else None
        if study is None or not isinstance(line.get("at"), str):
            bad.append(number)
            continue
        before = found.get(name_of(study), Begun(study, ())).at
        more = (line["at"],) * (len(study.looks) - len(before))
        found[name_of(study)] = Begun(study, before + more)
    return found, sorted(bad)


def now(store: Store) -> str:
    """The time in UTC; where the clock was set back, the latest that is on record of this
    machine."""
    known, _ = begun()
    ours = [study_id for (study_id, _), one in known.items() if not one.study.imported]
    (latest,) = store.db.execute(
        "SELECT coalesce(max(max(coalesce(started, ''), coalesce(ended, ''))), '') FROM runs "
        "WHERE study_id IN (SELECT value FROM json_each(?))",
        (json.dumps(ours),),
    ).fetchone()
    return max(utc_now(), str(latest), *(at for one in known.values() for at in one.at))


def planned(store: Store) -> dict[Name, Study]:
    """The plans of the studies on disk, oldest first."""
    rows = store.db.execute("SELECT plan FROM studies ORDER BY created, rowid")
    found = [one for (plan,) in rows if (one := _plan(plan)) is not None]
    return {name_of(one): one for one in found}


def removed() -> dict[Name, tuple[Study, dict[str, dict[str, object]]]]:
    """The studies that were deleted, and what was written down of their runs (see ``deleted``)."""
    found = {}
    for line in deleted.every():
        study = _plan(json.dumps(line.get("plan")))
        if study is not None:
            runs = line.get("runs")
            found[name_of(study)] = study, runs if isinstance(runs, dict) else {}
    return found


def stamp(store: Store) -> tuple[object, ...]:
    """Changes whenever one of these answers may."""
    plans, many, taken = store.db.execute(
        "SELECT (SELECT group_concat(id || stamp) FROM studies), count(*), sum(events_offset) "
        "FROM runs"
    ).fetchone()
    files = []
    for file in (paths.questions_file(), paths.deleted_file()):
        try:
            status = file.stat()
            files.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            files.append((0, 0, 0))
    return (plans, many, taken, *files)


@lru_cache(maxsize=8192)
def _plan(text: str) -> Study | None:
    try:
        return studies.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, Problem):
        return None


def runs(store: Store) -> list[Row]:
    """(study_id, arm, seed, state, started, ended, iter, max_iters, eval_loss, val_loss) of all
    runs that were started."""
    return store.db.execute(
        "SELECT study_id, arm, seed, state, started, ended, iter, max_iters, eval_loss, val_loss "
        "FROM runs WHERE state <> 'queued'"
    ).fetchall()


def first_losses(store: Store, iters: int) -> list[Row]:
    """(study_id, arm, seed, iter, value): training losses (nats) of the first ``iters`` iters of
    all runs, as far as they were logged and finite."""
    return store.db.execute(
        "SELECT r.study_id, r.arm, r.seed, m.iter, m.value FROM runs r JOIN metrics m "
        "ON m.run_id = r.id AND m.name = 'train_loss' AND m.iter BETWEEN 1 AND ? "
        "WHERE m.value IS NOT NULL",
        (iters,),
    ).fetchall()
