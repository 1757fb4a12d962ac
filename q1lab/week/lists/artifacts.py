"""Artifacts: the quarter's shipped work, beyond the studies and posts that q1lab sees itself."""

from __future__ import annotations

from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.files import expand_user
from q1lab.ground.secret_text import refuse_secret
from q1lab.journal.store import Store
from q1lab.week.lists import entries

ARTIFACT_KINDS = ("repo", "notebook", "post", "study", "tool", "talk", "other")


def add_artifact(
    store: Store, kind: str, title: str, *, location: str | None = None, week: str | None = None
) -> int:
    """Add something shipped; returns its number. ``location`` is an address or a path; a
    repository's folder has to be there."""
    if kind not in ARTIFACT_KINDS:
        raise Problem(f"an artifact is one of {', '.join(ARTIFACT_KINDS)}, not {kind!r}")
    title = entries.clean_title(title, "an artifact's title")
    refuse_secret(location or "", "the place")
    if location and "://" in location:
        entries.web_address(location)
    elif kind == "repo" and location and not expand_user(location).is_dir():
        raise Problem(
            f"{location} is neither a web address nor a folder here",
            next="give --at https://…, or leave it out",
        )
    with store.act() as record:
        if _number(store, kind, title) is not None:
            raise Problem(
                f"the {kind} {title!r} is in your list already",
                next="`q1lab course artifact` shows it",
            )
        record("artifact", kind=kind, title=title, location=location, week=week)
    number = _number(store, kind, title)
    assert number is not None
    return number


def _number(store: Store, kind: str, title: str) -> int | None:
    row = store.db.execute(
        "SELECT id FROM artifacts WHERE kind = ? AND title = ?", (kind, title)
    ).fetchone()
    return int(row["id"]) if row else None


def remove_artifact(store: Store, which: str) -> dict[str, Any]:
    """Take an artifact, given by number or title, off the list; returns it."""
    with store.act() as record:
        row = entries.find_item(store, "artifacts", which, "q1lab course artifact")
        record("artifact", kind=row["kind"], title=row["title"], removed=True)
    return row


def all_artifacts(store: Store) -> list[dict[str, Any]]:
    """All artifacts, oldest first: id, kind, title, location, week, added."""
    return [dict(row) for row in store.db.execute("SELECT * FROM artifacts ORDER BY id")]
