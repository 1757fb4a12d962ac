"""The journal's lines of blind tests, and their effect on the tables."""

from __future__ import annotations

import json
import sqlite3

from q1lab.index.acts import Body
from q1lab.index.journal_tables import insert


def fold_blind(db: sqlite3.Connection, body: Body) -> None:
    passages = list(zip(body["prompts"], body["baseline"], body["modified"], strict=True))
    if not passages:
        raise ValueError("a blind test without passages")
    name = {"study_id": body["study"], "created": body["created"]}
    (before,) = db.execute(
        "SELECT COUNT(*) FROM blind_tests WHERE study_id = :study_id AND created = :created", name
    ).fetchone()
    row = {**name, "number": before + 1, "passages": json.dumps(passages, ensure_ascii=False)}
    insert(db, "blind_tests", {**row, **{key: body[key] for key in ("seed", "key", "at")}})


def fold_guess(db: sqlite3.Connection, body: Body) -> None:
    """The first answer to a pair counts."""
    pairs = db.execute(
        "SELECT json_array_length(passages) FROM blind_tests "
        "WHERE study_id = :study AND created = :created AND number = :number",
        body,
    ).fetchone()
    if pairs is None or body["pair"] >= pairs[0]:
        raise ValueError("an answer to no pair of a blind test")
    db.execute(
        "INSERT OR IGNORE INTO blind_answers "
        "VALUES (:study, :created, :number, :pair, :choice, :at)",
        body,
    )
