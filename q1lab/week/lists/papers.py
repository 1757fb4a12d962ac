"""The reading log: papers, and how deeply they were read."""

from __future__ import annotations

from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.secret_text import refuse_secret
from q1lab.journal.store import Store
from q1lab.week.lists import entries

DEPTHS = ("deep", "skim")


def add_paper(
    store: Store,
    title: str,
    *,
    link: str | None = None,
    week: str | None = None,
    depth: str = "deep",
    notes: str = "",
) -> int:
    """Add a paper to read; returns its number. A paper with the same link gets this title instead
    of its own. Problem if the title is on the list already, or the link is not a web address."""
    if depth not in DEPTHS:
        raise Problem(f"a paper is read {' or '.join(DEPTHS)}, not {depth!r}")
    title = entries.clean_title(title, "a paper's title")
    if link:
        entries.web_address(link)
    refuse_secret(notes, "the notes")
    with store.act() as record:
        if store.db.execute("SELECT 1 FROM papers WHERE title = ?", (title,)).fetchone():
            raise Problem(
                f"the paper {title!r} is in your list already", next="`q1lab paper` shows it"
            )
        same = store.db.execute("SELECT title FROM papers WHERE link = ?", (link,)).fetchone()
        if same:
            record("paper", title=title, was=same["title"])
        else:
            record("paper", title=title, link=link, week=week, depth=depth, notes=notes)
    row = store.db.execute("SELECT id FROM papers WHERE title = ?", (title,)).fetchone()
    return int(row["id"])


def finish_paper(
    store: Store, which: str, *, depth: str | None = None, notes: str | None = None
) -> dict[str, Any]:
    """Mark a paper, given by number or by (part of) its title, as read; returns it."""
    if depth is not None and depth not in DEPTHS:
        raise Problem(f"a paper is read {' or '.join(DEPTHS)}, not {depth!r}")
    refuse_secret(notes or "", "the notes")
    with store.act() as record:
        row = entries.find_item(store, "papers", which, "q1lab paper")
        record("read", title=row["title"], depth=depth, notes=notes)
    return dict(store.db.execute("SELECT * FROM papers WHERE id = ?", (row["id"],)).fetchone())


def all_papers(store: Store) -> list[dict[str, Any]]:
    """All papers, oldest first: id, title, link, week, depth, added, done, notes."""
    return [dict(row) for row in store.db.execute("SELECT * FROM papers ORDER BY id")]
