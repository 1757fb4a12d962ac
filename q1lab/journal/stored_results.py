"""Comparisons as they were kept, and the numbers of runs that documents may name. Computes
nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from q1lab.ground.errors import Problem
from q1lab.ground.files import utc_now
from q1lab.journal.store import Row, Store

if TYPE_CHECKING:  # not before the app's first frame
    from q1lab.study.studies import Study

RECORD_VERSION = 22
"""Of a comparison's record. Raise it when its form or its computation changes, so that kept ones
are made anew."""


def cached_row(store: Store, study_id: str) -> Row | None:
    """The comparison that was kept last: computed (when), fingerprint, record (JSON)."""
    row: Row | None = store.db.execute(
        "SELECT * FROM results WHERE study_id = ?", (study_id,)
    ).fetchone()
    return row


def cache_record(store: Store, study_id: str, fingerprint: str, text: str) -> None:
    """Keep a comparison's record (JSON) in the place of the one before. Where the database can't be
    written now, it is computed again the next time: no command ends for a cache."""
    with contextlib.suppress(Problem), store.transaction() as db:
        db.execute(
            "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)",
            (study_id, utc_now(), fingerprint, text),
        )


def list_results(store: Store) -> list[Row]:
    """A row per study, newest first: its plan in columns, with the program and metric of a command
    (null for q1lab's own loop), the learner's name for it (null where there is none), how many runs
    have ended (done, total), and the verdict and numbers of its comparison, null where there is
    none of this version."""
    return store.db.execute(
        """
        SELECT s.id, s.variant, s.baseline, s.preset, s.data_name, s.data_sha256, s.dtype,
               s.created, s.seeds AS planned, n.name, s.plan ->> '$.loop.run' AS program,
               s.plan ->> '$.loop.metric' AS reports, s.plan ->> '$.loop.better' AS better,
               (SELECT count(*) FROM runs WHERE study_id = s.id) AS total,
               (SELECT count(*) FROM runs
                WHERE study_id = s.id AND state IN ('finished', 'diverged')) AS done,
               r.record ->> '$.analysis.verdict' AS verdict, r.record ->> '$.analysis.n' AS n,
               r.record ->> '$.analysis.alpha' AS alpha, r.record ->> '$.analysis.delta' AS delta,
               r.record ->> '$.analysis.mean' AS mean, r.record ->> '$.metric' AS metric,
               r.record ->> '$.analysis.paired.low' AS low,
               r.record ->> '$.analysis.paired.high' AS high,
               r.record -> '$.study.looks' = s.plan -> '$.looks'
                   AND r.record ->> '$.analysis.reason' IS NOT 'incomplete' AS of_all_runs
        FROM studies s LEFT JOIN results r ON r.study_id = s.id AND r.record ->> '$.v' = ?
        LEFT JOIN names n ON n.study_id = s.id
        ORDER BY s.created DESC, s.rowid DESC
        """,
        (RECORD_VERSION,),
    ).fetchall()


def list_studies(store: Store) -> list[Row]:
    """All studies, newest first: id, variant."""
    return store.db.execute(
        "SELECT id, variant FROM studies ORDER BY created DESC, rowid DESC"
    ).fetchall()


def list_ended(store: Store) -> list[Row]:
    """The studies whose runs have all ended with a result, newest first: id, variant, planned (how
    many seeds), runs (how many), ended (when the last one did)."""
    return store.db.execute(
        """
        SELECT s.id, s.variant, s.seeds AS planned, count(*) AS runs, max(r.ended) AS ended
        FROM studies s JOIN runs r ON r.study_id = s.id
        GROUP BY s.id HAVING min(r.state IN ('finished', 'diverged'))
        ORDER BY s.created DESC, s.rowid DESC
        """
    ).fetchall()


def mean_at_iter(store: Store, study: Study, iter_: int) -> float | None:
    """The mean of the baseline runs' metric at one iter; None if none was evaluated there."""
    (mean,) = store.db.execute(
        "SELECT avg(m.value) FROM metrics m JOIN runs r ON r.id = m.run_id "
        "WHERE r.study_id = ? AND r.arm = 'baseline' AND m.name = ? AND m.iter = ?",
        (study.id, study.metric.key(), iter_),
    ).fetchone()
    return None if mean is None else float(mean)


def run_numbers(store: Store, study: Study) -> list[float]:
    """Every number that a study's runs ended with or were evaluated at, in no order."""
    numbers = [
        float(value)
        for row in store.db.execute(
            "SELECT val_loss, eval_loss, tokens_per_s, seconds, iter FROM runs WHERE study_id = ?",
            (study.id,),
        )
        for value in row
        if value is not None
    ]
    rows = store.db.execute(
        "SELECT m.value FROM metrics m JOIN runs r ON r.id = m.run_id WHERE r.study_id = ? "
        "AND m.name IN (?, ?) AND m.value IS NOT NULL",
        (study.id, study.metric.key(), study.metric.key("final")),
    )
    return numbers + [float(row["value"]) for row in rows]
