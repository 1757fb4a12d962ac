"""Artifacts: what was shipped in the quarter, beyond the studies and posts that q1lab sees
itself."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from q1lab.errors import Problem
from q1lab.files import expanded, utc_now
from q1lab.journal import entries

if TYPE_CHECKING:
    from q1lab.index.store import Store

ARTIFACT_KINDS = ("repo", "notebook", "post", "study", "tool", "talk", "other")


def add(
    store: Store, kind: str, title: str, *, location: str | None = None, week: str | None = None
) -> int:
    """Add something shipped; returns its number. ``location`` is an address or a path; a
    repository's folder has to be there."""
    if kind not in ARTIFACT_KINDS:
        raise Problem(f"an artifact is one of {', '.join(ARTIFACT_KINDS)}, not {kind!r}")
    title = entries.title(title, "an artifact's title")
    if location and "://" in location:
        entries.web_address(location)
    elif kind == "repo" and location and not expanded(location).is_dir():
        raise Problem(
            f"{location} is neither a web address nor a folder here; give --at https://…, or leave "
            "it out"
        )
    try:
        with store.write() as db:
            cursor = db.execute(
                "INSERT INTO artifacts (kind, title, location, week, added) VALUES (?,?,?,?,?)",
                (kind, title, location, week, utc_now()),
            )
    except sqlite3.IntegrityError:
        raise Problem(
            f"the {kind} {title!r} is in your list already; `q1lab artifact list` shows it"
        ) from None
    return int(cursor.lastrowid or 0)


def remove(store: Store, which: str) -> dict[str, Any]:
    """Take an artifact, given by number or title, off the list; returns it."""
    row = entries.find(store, "artifacts", which, "q1lab artifact list")
    with store.write() as db:
        db.execute("DELETE FROM artifacts WHERE id = ?", (row["id"],))
    return row


def every(store: Store) -> list[dict[str, Any]]:
    """All artifacts, oldest first: id, kind, title, location, week, added."""
    return [dict(row) for row in store.db.execute("SELECT * FROM artifacts ORDER BY id")]
