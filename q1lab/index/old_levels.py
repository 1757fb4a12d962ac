"""The levels at which an older q1lab judged its studies: an index of that time has them in its
comparisons, and its journal has not."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


def levels_of_older_index(database: Path, schema: int) -> list[list[str | float]]:
    """(study, created, level) of every verdict that an index older than ``schema`` holds; of a
    planned range not, since its plan has its level. Empty where there is no such index."""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if not 0 < version < schema:
                return []
            rows = db.execute(
                "SELECT study_id, record ->> '$.study.created', record ->> '$.analysis.alpha' "
                "FROM results WHERE record ->> '$.analysis.reason' IS NULL "
                "AND record -> '$.study.range' IS NULL"
            ).fetchall()
    except sqlite3.Error:
        return []
    return [[study, created, float(level)] for study, created, level in rows if created and level]
