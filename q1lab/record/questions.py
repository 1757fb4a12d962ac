"""What the ledger of questions is read from: what was begun, what the studies on disk say, and how
far their runs came.

A question is on record before its first trainer starts: ``begin`` is an act of the journal, with
the study's plan as it is then. So it stays asked when its folder is removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import utc_now
from q1lab.index import journal
from q1lab.index.store import Row, Store
from q1lab.record import declarations
from q1lab.record.declarations import declaration
from q1lab.study import studies
from q1lab.study.run_states import ENDED
from q1lab.study.studies import Study

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
    with store.act() as add:
        found = begun(store)[0].get(name_of(study))
        if found is None or len(found.at) < len(study.design.batches):
            add("begin", at=now(store), plan=study.to_dict(), declares=declaration(study))


def chain(store: Store, study: Study) -> tuple[dict[str, Any], ...]:
    """The journal up to the line that put the study on record with the seeds that it has, each line
    as it is handed out, with ``prev`` where it does not follow from the one before. Empty when
    there is no such line."""
    found: list[dict[str, Any]] = []
    link, last = journal.START, 0
    for line in journal.read(store.journal).lines:
        follows = line.prev == link
        found.append({**({} if follows else {"prev": line.prev}), **line.outline})
        link = line.link
        declares = line.outline.get("declares")
        if isinstance(declares, dict) and declares.get("study") == declarations.name_of(study):
            last = len(found)
    return tuple(found[:last])


def link_of(chain: Sequence[Mapping[str, Any]]) -> str:
    """The journal's link after the last of these lines; empty without one."""
    return list(journal.follow(chain))[-1] if chain else ""


def trailer(study_id: str, link: str) -> str:
    """The line of a commit's message that names the journal as far as it tells of a study."""
    return f"Journal-of-{study_id}: {link}"


def begun(store: Store) -> tuple[dict[Name, Begun], int]:
    """Every study on record, oldest first, and how many lines can't be read: each may have been a
    question."""
    found: dict[Name, Begun] = {}
    unread = store.unread
    for row in store.db.execute("SELECT at, plan FROM begun ORDER BY id"):
        study = _plan(row["plan"])
        if study is None:
            unread += 1
            continue
        before = found.get(name_of(study), Begun(study, ())).at
        more = (row["at"],) * (len(study.design.batches) - len(before))
        found[name_of(study)] = Begun(study, before + more)
    return found, unread


def gated(store: Store) -> dict[str, bool]:
    """The studies that a gate has decided on, and whether it kept what they proposed."""
    rows = store.db.execute("SELECT study_id, kept FROM gated")
    return {row["study_id"]: bool(row["kept"]) for row in rows}


def now(store: Store) -> str:
    """The time in UTC; where the clock was set back, the latest that is on record of this
    machine."""
    known, _ = begun(store)
    ours = [study_id for (study_id, _), one in known.items() if one.study.origin.is_ours]
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


@dataclass(frozen=True)
class Deleted:
    """What stays on record of a study that was deleted: ``study`` (None where its plan could not be
    read), and of each of its runs by name ``state``, ``val_loss``, ``seen``: whether it had shown a
    result, and ``first``: iter → training loss (nats) of its first iters."""

    id: str
    study: Study | None
    runs: dict[str, dict[str, Any]]


def deleted(store: Store) -> list[Deleted]:
    """Every study that was deleted, oldest first."""
    rows = store.db.execute("SELECT * FROM deleted ORDER BY rowid")
    return [Deleted(row["study_id"], _plan(row["plan"]), json.loads(row["runs"])) for row in rows]


def removed(store: Store) -> dict[Name, tuple[Study, dict[str, dict[str, Any]]]]:
    """The plans of the studies that were deleted, and what is on record of their runs."""
    return {name_of(one.study): (one.study, one.runs) for one in deleted(store) if one.study}


def away(store: Store) -> list[Deleted]:
    """The deleted studies without those that are here again (restored, or never gone since the
    deletion was cut off)."""
    return [
        one for one in deleted(store) if not paths.StudyPaths(paths.study_dir(one.id)).plan.exists()
    ]


def taken_names(store: Store) -> set[str]:
    """Names of studies and of series that are on record, also of those that were deleted or removed
    by hand: documents and the ledger speak of them, so nothing else gets them."""
    known = [one.study for one in begun(store)[0].values()]
    gone = away(store)
    plans = [*known, *(one.study for one in gone if one.study)]
    series = {study.origin.series.id for study in plans if study.origin.series}
    return {study.id for study in known} | {one.id for one in gone} | series


def deleted_places(store: Store, series_id: str) -> set[int]:
    """The places of a series whose study was deleted."""
    found = [
        one.study.origin.series for one in away(store) if one.study and one.study.origin.series
    ]
    return {one.at for one in found if one.id == series_id}


def stamp(store: Store) -> tuple[object, ...]:
    """Changes whenever one of these answers may."""
    answers = store.db.execute(
        "SELECT (SELECT group_concat(id || stamp) FROM studies), count(*), sum(events_offset), "
        "(SELECT count(*) FROM begun), (SELECT group_concat(study_id || at) FROM deleted) FROM runs"
    ).fetchone()
    return (*answers, store.unread)


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


def shows_a_result(run: Row) -> bool:
    """Whether a run says how it will come out: it ended, was evaluated, or trained a tenth of its
    iters (a training loss tells, too)."""
    evaluated = run["eval_loss"] is not None or 10 * run["iter"] >= run["max_iters"]
    return run["state"] in ENDED or evaluated


def first_losses(store: Store, iters: int, study_id: str | None = None) -> list[Row]:
    """(study_id, arm, seed, iter, value): training losses (nats) of the first ``iters`` iters of
    all runs, or of one study's, as far as they were logged and finite."""
    return store.db.execute(
        "SELECT r.study_id, r.arm, r.seed, m.iter, m.value FROM runs r JOIN metrics m "
        "ON m.run_id = r.id AND m.name = 'train_loss' AND m.iter BETWEEN 1 AND ? "
        "WHERE m.value IS NOT NULL AND r.study_id = coalesce(?, r.study_id)",
        (iters, study_id),
    ).fetchall()
