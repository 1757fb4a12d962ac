"""What the learner did in the week, as rows: ticks, answers, minutes, the chosen variant, hints and
the retro.

Here are the questions to the tables and nothing else; what they mean is in week/progress.py and
model/learner.py. Every writing function commits before it returns (or is part of the transaction
that the caller began with ``store.write()``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Any

from q1lab.files import utc_now
from q1lab.index.store import Row, Store

# ── steps


def steps(store: Store, week: str) -> list[Row]:
    """Rows of step_records: step_id, done, answer, done_at, updated."""
    return store.db.execute("SELECT * FROM step_records WHERE week = ?", (week,)).fetchall()


def tick(store: Store, week: str, step_id: str, done: bool) -> None:
    """Set or clear a step's tick; its answer stays as it is."""
    now = utc_now()
    with store.write() as db:
        db.execute(
            "INSERT INTO step_records (week, step_id, done, done_at, updated) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (week, step_id) DO UPDATE SET "
            "done = excluded.done, updated = excluded.updated, "
            "done_at = CASE WHEN excluded.done THEN COALESCE(done_at, excluded.done_at) END",
            (week, step_id, int(done), now if done else None, now),
        )


def answer(store: Store, week: str, step_id: str, text: str | None) -> None:
    """Keep an answer, with its tick; None takes both away."""
    now = utc_now()
    done = text is not None
    with store.write() as db:
        db.execute(
            "INSERT INTO step_records (week, step_id, done, answer, done_at, updated) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (week, step_id) DO UPDATE SET "
            "done = excluded.done, answer = excluded.answer, updated = excluded.updated, "
            "done_at = CASE WHEN excluded.done THEN COALESCE(done_at, excluded.done_at) END",
            (week, step_id, int(done), text, now if done else None, now),
        )


# ── minutes


def part_seconds(store: Store, week: str) -> dict[str, float]:
    """Seconds that counted, by part id."""
    rows = store.db.execute("SELECT part_id, seconds FROM part_times WHERE week = ?", (week,))
    return {row["part_id"]: float(row["seconds"]) for row in rows}


def add_seconds(store: Store, week: str, credited: Mapping[str, float]) -> None:
    """Credit seconds by part id; a negative number takes some away, never below nothing."""
    now = utc_now()
    with store.write() as db:
        for part_id, seconds in credited.items():
            db.execute(
                "INSERT INTO part_times (week, part_id, seconds, started, updated) "
                "VALUES (?, ?, MAX(0, ?), ?, ?) ON CONFLICT (week, part_id) DO UPDATE "
                "SET seconds = MAX(0, seconds + ?), updated = excluded.updated",
                (week, part_id, seconds, now, now, seconds),
            )


def save_clock(
    store: Store, week: str, credited: Mapping[str, float], state: Mapping[str, Any]
) -> None:
    """Credit what the timer counted and keep its state, in one transaction."""
    with store.write() as db:
        add_seconds(store, week, credited)
        db.execute(
            "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)",
            (f"clock:{week}", json.dumps(dict(state)), utc_now()),
        )


# ── the chosen variant, its file, its hints


def modification(store: Store, week: str) -> Row | None:
    """What was chosen for the week: variant, file, base, chosen (when); None before a choice. That
    of one that is not chosen now is under ``kept_under``."""
    row: Row | None = store.db.execute(
        "SELECT * FROM modifications WHERE week = ?", (week,)
    ).fetchone()
    return row


def chosen(store: Store, week: str) -> str | None:
    """The name of the chosen modification."""
    row = modification(store, week)
    return str(row["variant"]) if row else None


def kept_under(store: Store, week: str, variant: str) -> str:
    """The week under which the record of a modification is kept: its row, and the steps that belong
    to it. That is the week itself for the one that is chosen, and before a choice; of another it is
    the week with its name."""
    now = chosen(store, week)
    return week if now in (None, variant) else f"{week} {variant}"


def own_names(row: Row | None) -> frozenset[str]:
    """Names under which the studies of a chosen modification run: its own, and its model file's."""
    if row is None:
        return frozenset()
    file = str(row["file"] or "")
    return frozenset({str(row["variant"]), PurePath(file).stem} - {""})


def choose(store: Store, week: str, variant: str, shared: Collection[str] = ()) -> None:
    """Note the chosen modification. ``shared`` are the steps of the week whose ticks and answers
    belong to it: those of the one before are put aside with its row, and come back with it."""
    with store.write() as db:
        before = chosen(store, week)
        back = kept_under(store, week, variant)
        if before == variant:
            return
        if before is not None:
            aside = f"{week} {before}"
            db.execute("UPDATE modifications SET week = ? WHERE week = ?", (aside, week))
            for row in steps(store, week):
                if row["step_id"].partition("@")[0] in shared:
                    db.execute(
                        "UPDATE step_records SET week = ? WHERE week = ? AND step_id = ?",
                        (aside, week, row["step_id"]),
                    )
            # what the week counts as its own by now stays where it is
            db.execute("UPDATE OR IGNORE step_records SET week = ? WHERE week = ?", (week, back))
            db.execute(
                "UPDATE modifications SET week = ?, chosen = COALESCE(NULLIF(chosen, ''), ?) "
                "WHERE week = ?",
                (week, utc_now(), back),
            )
        db.execute(
            "INSERT OR IGNORE INTO modifications (week, variant, chosen) VALUES (?, ?, ?)",
            (week, variant, utc_now()),
        )


def note_file(store: Store, week: str, variant: str, file: str, base: str) -> None:
    """Note which file carries a modification and what it was made from. It is chosen by that where
    none is; a choice of another stays as it is."""
    with store.write() as db:
        place = kept_under(store, week, variant)
        db.execute(
            "INSERT INTO modifications (week, variant, file, base, chosen) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (week) DO UPDATE "
            "SET file = excluded.file, base = excluded.base",
            (place, variant, file, base, utc_now() if place == week else ""),
        )


def used_hints(store: Store, week: str, variant: str) -> list[int]:
    """The stages that were opened, in order."""
    rows = store.db.execute(
        "SELECT stage FROM hints WHERE week = ? AND variant = ? ORDER BY stage", (week, variant)
    )
    return [int(row["stage"]) for row in rows]


def use_hint(store: Store, week: str, variant: str, stage: int) -> None:
    """Note that a stage was opened; the first time counts."""
    with store.write() as db:
        db.execute(
            "INSERT OR IGNORE INTO hints VALUES (?, ?, ?, ?)", (week, variant, stage, utc_now())
        )


# ── the retro


def note_retro(store: Store, week: str, path: str, commit: str | None) -> None:
    """Note where the week's retro is; without a new commit the old one stays noted."""
    with store.write() as db:
        db.execute(
            "INSERT INTO retros (week, path, written, commit_sha) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (week) DO UPDATE SET path = excluded.path, written = excluded.written, "
            "commit_sha = coalesce(excluded.commit_sha, commit_sha)",
            (week, path, utc_now(), commit),
        )


def retro(store: Store, week: str) -> Row | None:
    """Where the week's retro is: path, written, commit_sha; None before one."""
    row: Row | None = store.db.execute("SELECT * FROM retros WHERE week = ?", (week,)).fetchone()
    return row
