"""The gate's decisions: its entry in the journal, its table, and its lines in a list of studies."""

from __future__ import annotations

import json
import sqlite3

from q1lab.index.acts import Body
from q1lab.index.journal_tables import insert
from q1lab.index.store import Store
from q1lab.verdict.result_rows import RowGroup


def fold_decision(db: sqlite3.Connection, body: Body) -> None:
    row = {"study_id": body["study"], "created": body["created"], "at": body["at"]}
    facts = {"kept": int(bool(body["kept"])), "facts": json.dumps(body["facts"])}
    insert(db, "gated", {**row, **facts}, replace=True)


def gate_decisions(store: Store) -> dict[str, bool]:
    """The studies that a gate has decided on: True for a proposal that it kept."""
    rows = store.db.execute("SELECT study_id, kept FROM gated")
    return {row["study_id"]: bool(row["kept"]) for row in rows}


def budget_groups(store: Store) -> dict[str, RowGroup]:
    """The proposals by their id: those to one budget are one line of a list."""
    rows = store.db.execute(
        """
        SELECT s.id, s.plan ->> '$.gate.budget' AS budget, g.kept FROM studies s
        LEFT JOIN gated g ON g.study_id = s.id AND g.created = s.created
        WHERE budget <> ''
        """
    )
    answers = {None: "", 0: "discarded", 1: "kept"}
    return {
        row["id"]: RowGroup(
            f"gate {row['budget']}", "kept", "a gate", answers[row["kept"]], bool(row["kept"])
        )
        for row in rows
    }
