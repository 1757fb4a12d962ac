"""The studies on record: those that were begun, and those that were deleted.

A study is on record before its first trainer starts (``record_begin``), and stays there when it is
stopped, deleted, or its folder is removed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import utc_now
from q1lab.journal import declarations
from q1lab.journal.store import Row, Store
from q1lab.study import studies
from q1lab.study.identity import arm_fingerprint, question_hash
from q1lab.study.studies import ARMS, Study

StudyKey = tuple[str, str]
"""A study's id and when it was planned: an id may be given again after a folder was removed."""


def study_key(study: Study | DeletedStudy) -> StudyKey:
    return study.id, study.created


@dataclass(frozen=True)
class Begun:
    """A study on record as it was last begun."""

    study: Study
    question: str
    """The hash of its question."""
    modified: str
    """The fingerprint of its modified arm."""

    @property
    def key(self) -> StudyKey:
        return study_key(self.study)


def begun_studies(store: Store) -> list[Begun]:
    """The studies on record, as far as their plans can be read, oldest first."""
    rows = store.db.execute("SELECT plan FROM begun ORDER BY id")
    read = [begun for (plan,) in rows if (begun := _parse_begun(plan)) is not None]
    return list({begun.key: begun for begun in read}.values())


@lru_cache(maxsize=8192)
def _parse_begun(text: str) -> Begun | None:
    study = parse_plan(text)
    if study is None:
        return None
    return Begun(study, question_hash(study), arm_fingerprint(study, "modified"))


def record_begin(store: Store, study: Study) -> None:
    """Put a study on record with the seeds that it has now, unless it is. Problem when that can't
    be written: then nothing may train."""
    with store.act() as add:
        recorded = prove_as_declared(store, study)
        if recorded is not None and set(study.seeds) <= set(recorded.seeds):
            return
        add("begin", at=_record_time(store), plan=study.to_dict())


def prove_as_declared(store: Store, study: Study) -> Study | None:
    """The study as it was last begun, None if it is not on record. Problem where its plan is
    another one now."""
    row = store.db.execute(
        "SELECT plan FROM begun WHERE study_id = ? AND created = ? ORDER BY id DESC LIMIT 1",
        study_key(study),
    ).fetchone()
    recorded = None if row is None else parse_plan(row["plan"])
    if recorded is not None:
        declarations.refuse_changed_plan(recorded, study)
    return recorded


def _record_time(store: Store) -> str:
    """The time in UTC; where the clock was set back, the latest that is on record."""
    (latest,) = store.db.execute("SELECT coalesce(max(at), '') FROM begun").fetchone()
    return max(utc_now(), str(latest))


@dataclass(frozen=True)
class DeletedStudy:
    """The record of a study that was deleted: ``study`` (None where its plan could not be read),
    and of each of its runs by name ``state``, ``val_loss``, and ``seen`` (True if it had shown a
    number)."""

    id: str
    created: str
    study: Study | None
    runs: dict[str, dict[str, Any]]

    @property
    def compared_nothing(self) -> bool:
        """True if it is known that an arm had shown no number."""
        seen = {name.partition("-")[0] for name, run in self.runs.items() if run.get("seen")}
        return self.study is not None and not seen.issuperset(ARMS)


def deleted_studies(store: Store) -> list[DeletedStudy]:
    """Every study that was deleted, oldest first."""
    return [_deleted(row) for row in store.db.execute("SELECT * FROM deleted ORDER BY rowid")]


def deleted_study(store: Store, study_id: str, created: str) -> DeletedStudy | None:
    row = store.db.execute(
        "SELECT * FROM deleted WHERE study_id = ? AND created = ?", (study_id, created)
    ).fetchone()
    return None if row is None else _deleted(row)


def _deleted(row: Row) -> DeletedStudy:
    runs = {
        name: facts if isinstance(facts, dict) else {}
        for name, facts in json.loads(row["runs"]).items()
    }
    return DeletedStudy(row["study_id"], row["created"], parse_plan(row["plan"]), runs)


def absent_studies(store: Store) -> list[DeletedStudy]:
    """The deleted studies without those that are here again (restored, or never gone since the
    deletion was cut off)."""
    return [
        deleted
        for deleted in deleted_studies(store)
        if not paths.StudyPaths(paths.study_dir(deleted.id)).plan.exists()
    ]


def names_on_record(store: Store) -> set[str]:
    """Names of studies and of series that are on record, also of those that were deleted or removed
    by hand: documents and histories speak of them, so nothing else gets them. The name of a study
    that was deleted before both arms had shown a number is free again."""
    gone = absent_studies(store)
    silent = {study_key(study) for study in gone if study.compared_nothing}
    begun = [begun.study for begun in begun_studies(store)]
    plans = [*begun, *(deleted.study for deleted in gone if deleted.study)]
    series = {study.origin.series.id for study in plans if study.origin.series}
    keys = {*map(study_key, begun), *map(study_key, gone)}
    return series | {study_id for study_id, _ in keys - silent}


def time_after_namesakes(store: Store, study_id: str, time: str) -> str:
    """``time``, or the second after the last study of this name was planned: a name and a time are
    one study."""
    (last,) = store.db.execute(
        "SELECT max(created) FROM begun WHERE study_id = ?", (study_id,)
    ).fetchone()
    if last is None or time > last:
        return time
    return (datetime.fromisoformat(last) + timedelta(seconds=1)).isoformat(timespec="seconds")


def deleted_places(store: Store, series_id: str) -> set[int]:
    """The places of a series whose study was deleted."""
    deleted = [deleted.study.origin.series for deleted in absent_studies(store) if deleted.study]
    return {series.at for series in deleted if series is not None and series.id == series_id}


def floor_studies(store: Store, study: Study) -> list[Study]:
    """The studies that compare this study's baseline with itself, on the same data and under the
    same conditions, oldest first; none for such a study itself."""
    baseline = study.arms["baseline"].sha256
    if not baseline or study.is_floor:
        return []
    rows = store.db.execute(
        "SELECT plan FROM studies WHERE json_extract(plan, '$.arms.baseline.sha256') = ? "
        "AND json_extract(plan, '$.arms.modified.sha256') = ? ORDER BY created, rowid",
        (baseline, baseline),
    )
    floors = [other for (plan,) in rows if (other := parse_plan(plan)) is not None]
    conditions = _training_conditions(study)
    return [floor for floor in floors if _training_conditions(floor) == conditions]


def _training_conditions(study: Study) -> tuple[str, str, str, str]:
    """(hyperparameters as JSON, the data's hash, device, number format)."""
    return (
        json.dumps(study.trainer.config, sort_keys=True),
        study.data.sha256,
        study.trainer.device,
        study.trainer.dtype,
    )


@lru_cache(maxsize=8192)
def parse_plan(text: str) -> Study | None:
    """The plan in a row of the index; None where it can't be read."""
    try:
        return studies.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, Problem):
        return None
