"""The effect of each act on the tables: only this writes the learner's rows. Taking all acts into
empty tables gives the same rows whenever it is done, so the tables can be thrown away."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from q1lab.journal.acts import Body

DOCUMENTS = frozenset({"modification", "post", "retro", "roadmap", "merge"})
"""Acts that write a document of the learner's repository; the app shows their commit first."""

Fold = Callable[[sqlite3.Connection, Body], None]
"""Takes a line of the journal into the tables."""


def fold_act(db: sqlite3.Connection, body: Body) -> None:
    """Take one act into the tables; nothing where this version knows no such act."""
    act = body["act"]
    folded = FOLDS.get(act)
    if isinstance(folded, str):
        db.execute(folded, body)
    elif folded is not None:
        folded(db, body)


def read_setting(db: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """A value of the settings table (JSON)."""
    row = db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    try:
        return json.loads(row[0]) if row else default
    except ValueError:
        return default


def write_setting(db: sqlite3.Connection, key: str, value: Any) -> None:
    """Put a value into the settings table."""
    db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, json.dumps(value)))


def _some(body: Body, *names: str) -> dict[str, Any]:
    return {name: body[name] for name in names}


# ── steps and minutes

STEP = (
    "INSERT INTO step_records (week, step_id, done, answer, done_at, updated) "
    "VALUES (:week, :step, {done}, {answer}, iif({done}, :at, NULL), :at) "
    "ON CONFLICT (week, step_id) DO UPDATE SET done = excluded.done, answer = {keep}, "
    "done_at = iif(excluded.done, coalesce(done_at, excluded.done_at), NULL), "
    "updated = excluded.updated"
)
TICK = STEP.format(done=":done", answer="NULL", keep="answer")
ANSWER = STEP.format(done=":text IS NOT NULL", answer=":text", keep="excluded.answer")


def _recall(db: sqlite3.Connection, body: Body) -> None:
    grade = "right" if body["right"] else f"wrong {body.get('missed', '')}".rstrip()
    key = f"recall:{body['week']}"
    write_setting(db, key, {**read_setting(db, key, {}), body["step"]: grade})
    db.execute(TICK, {**body, "done": True})


def _time(db: sqlite3.Connection, body: Body) -> None:
    for part, seconds in body["seconds"].items():
        db.execute(
            "INSERT INTO part_times (week, part_id, seconds) "
            "VALUES (:week, :part, MAX(0, :seconds)) ON CONFLICT (week, part_id) "
            "DO UPDATE SET seconds = MAX(0, seconds + :seconds)",
            {"week": body["week"], "part": part, "seconds": float(seconds)},
        )
    write_setting(db, f"timer:{body['week']}", int(body["entry"]))


# ── the modification


def _choose(db: sqlite3.Connection, body: Body) -> None:
    """``shared`` are the steps whose ticks and answers belong to the modification: those of the one
    before are put aside with its row, under the week with its name, and come back with it."""
    week, variant, at = body["week"], body["variant"], body["at"]
    before = _chosen(db, week)
    if before == variant:
        return
    if before is not None:
        aside, back = f"{week} {before}", f"{week} {variant}"
        db.execute("UPDATE modifications SET week = ? WHERE week = ?", (aside, week))
        rows = db.execute("SELECT step_id FROM step_records WHERE week = ?", (week,)).fetchall()
        for (step,) in rows:
            if step.partition("@")[0] in body["shared"]:
                db.execute(
                    "UPDATE step_records SET week = ? WHERE week = ? AND step_id = ?",
                    (aside, week, step),
                )
        # what the week counts as its own by now stays where it is
        db.execute("UPDATE OR IGNORE step_records SET week = ? WHERE week = ?", (week, back))
        db.execute(
            "UPDATE modifications SET week = ?, chosen = COALESCE(NULLIF(chosen, ''), ?) "
            "WHERE week = ?",
            (week, at, back),
        )
    db.execute(
        "INSERT OR IGNORE INTO modifications (week, variant, chosen) VALUES (?, ?, ?)",
        (week, variant, at),
    )


def _file(db: sqlite3.Connection, body: Body) -> None:
    is_chosen = _chosen(db, body["week"]) in (None, body["variant"])
    place = body["week"] if is_chosen else f"{body['week']} {body['variant']}"
    db.execute(
        "INSERT INTO modifications (week, variant, file, base, chosen) "
        "VALUES (:place, :variant, :file, :base, :chosen) ON CONFLICT (week) DO UPDATE "
        "SET file = excluded.file, base = excluded.base",
        {**body, "place": place, "chosen": body["at"] if is_chosen else ""},
    )


def _chosen(db: sqlite3.Connection, week: str) -> str | None:
    row = db.execute("SELECT variant FROM modifications WHERE week = ?", (week,)).fetchone()
    return str(row[0]) if row else None


NEWEST_PREDICTION = (
    "SELECT id FROM predictions WHERE week = :week AND variant = :variant ORDER BY id DESC LIMIT 1"
)


def _predict(db: sqlite3.Connection, body: Body) -> None:
    """A prediction that is locked is amended by the next one; another is replaced."""
    db.execute(
        "DELETE FROM predictions WHERE week = :week AND variant = :variant AND locked IS NULL", body
    )
    names = ("week", "variant", "direction", "size", "matters", "confidence", "reasoning")
    insert(db, "predictions", {**_some(body, *names), "created": body["at"]})


# ── what steps tick themselves by

EVIDENCE = (
    "INSERT OR REPLACE INTO evidence (week, act, subject, variant, file, sha, facts, at) "
    "VALUES (:week, {}, {}, {}, {}, {}, {}, :at)"
)
"""``file`` has to be there for it to count, ``sha`` is its text's or its commit's."""
CHECK = EVIDENCE.format("'check'", ":file", ":variant", ":file", ":sha256", "'{}'")
MERGE = EVIDENCE.format("'merge'", ":file", "''", ":into", ":commit", "'{}'")
LOOK = EVIDENCE.format(":command", ":what", ":variant", "NULL", "NULL", "'{}'")
REFERENCE = EVIDENCE.format("'reference'", ":variant", ":variant", "NULL", "NULL", "'{}'")
WRITTEN = EVIDENCE.format(
    *(":act", "''", "''", ":path"),
    "coalesce(:commit, (SELECT sha FROM evidence WHERE week = :week AND act = :act))",
    "'{}'",
)
"""A document of the week, under the name of its act. Without a new commit the old one stays."""
DOCUMENT = EVIDENCE.format("'modification'", ":variant", ":variant", ":path", "NULL", ":facts")


def _document(db: sqlite3.Connection, body: Body) -> None:
    """The document of a modification ("": before the choice). A file tells of one modification: the
    one that it was written for last."""
    db.execute(
        "DELETE FROM evidence WHERE week = :week AND act = 'modification' AND file = :path", body
    )
    db.execute(DOCUMENT, {**body, "facts": json.dumps(_some(body, "committed", "prediction"))})


# ── lists


def _paper(db: sqlite3.Connection, body: Body) -> None:
    """``was``: the title that this one corrects."""
    if body.get("was"):
        db.execute("UPDATE papers SET title = :title WHERE title = :was", body)
        return
    row = _some(body, "title", "link", "week", "depth", "notes")
    insert(db, "papers", {**row, "added": body["at"]})


def _artifact(db: sqlite3.Connection, body: Body) -> None:
    if body.get("removed"):
        db.execute("DELETE FROM artifacts WHERE kind = :kind AND title = :title", body)
        return
    row = _some(body, "kind", "title", "location", "week")
    insert(db, "artifacts", {**row, "added": body["at"]})


# ── studies


def _begin(db: sqlite3.Connection, body: Body) -> None:
    """A new study under a name that was given before is not called as the one before."""
    plan = body["plan"]
    row = {"study_id": plan["id"], "created": plan["created"], "at": body["at"]}
    begun = "SELECT 1 FROM begun WHERE study_id = :study_id AND created = :created"
    if db.execute(begun, row).fetchone() is None:
        db.execute("DELETE FROM names WHERE study_id = :study_id", row)
    insert(db, "begun", {**row, "plan": json.dumps(plan)})


def _delete(db: sqlite3.Connection, body: Body) -> None:
    """``plan`` is None where it could not be read."""
    created = body["plan"]["created"] if body["plan"] else ""
    texts = (json.dumps(body["plan"]), json.dumps(body["runs"]))
    db.execute(
        "INSERT OR REPLACE INTO deleted (study_id, created, plan, runs) VALUES (?, ?, ?, ?)",
        (body["study"], created, *texts),
    )


# ── the rest


def insert(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Put a row in."""
    values = ", ".join(f":{name}" for name in row)
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})", row)


FOLDS: Mapping[str, str | Fold] = {
    "tick": TICK,
    "answer": ANSWER,
    "recall": _recall,
    "time": _time,
    "choose": _choose,
    "file": _file,
    "hint": "INSERT OR IGNORE INTO hints VALUES (:week, :variant, :stage)",
    "reference": REFERENCE,
    "predict": _predict,
    "lock": (
        "UPDATE predictions SET locked = :at, locked_by = :by "
        f"WHERE id = ({NEWEST_PREDICTION}) AND locked IS NULL"
    ),
    "check": CHECK,
    "merge": MERGE,
    "document": _document,
    "look": LOOK,
    "retro": WRITTEN,
    "roadmap": WRITTEN,
    "kpi": (
        "INSERT OR REPLACE INTO kpis (name, target, actual, source, updated) "
        "VALUES (:name, :target, :actual, iif(:actual IS NULL, NULL, 'by hand'), :at)"
    ),
    "paper": _paper,
    "read": (
        "UPDATE papers SET done = coalesce(done, :at), depth = coalesce(:depth, depth), "
        "notes = coalesce(:notes, notes) WHERE title = :title"
    ),
    "artifact": _artifact,
    "post": (
        "INSERT INTO posts (week, title, path, updated) VALUES (:week, :title, :path, :at) "
        "ON CONFLICT (week) DO UPDATE SET title = excluded.title, "
        "path = coalesce(excluded.path, path), updated = excluded.updated"
    ),
    "publish": (
        "INSERT INTO posts (week, title, url, published, updated) "
        "VALUES (:week, :title, :url, :at, :at) ON CONFLICT (week) DO UPDATE SET "
        "title = excluded.title, url = excluded.url, "
        "published = coalesce(published, excluded.published), updated = excluded.updated"
    ),
    "share": "INSERT OR REPLACE INTO shares VALUES (:week, :channel, :url, :at)",
    "begin": _begin,
    "delete": _delete,
    "name": "INSERT OR REPLACE INTO names VALUES (:study, :name)",
    "setting": lambda db, body: write_setting(db, body["key"], body["value"]),
}
