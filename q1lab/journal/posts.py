"""The week's post: where its draft is, where it is published, and on which channels it was shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from q1lab.errors import Problem
from q1lab.files import utc_now
from q1lab.journal import entries

if TYPE_CHECKING:
    from q1lab.index.store import Store

CHANNELS: Mapping[str, str] = {
    "hn": "Hacker News (Show HN)",
    "r-machinelearning": "r/MachineLearning",
    "r-localllama": "r/LocalLLaMA",
    "x": "X",
    "linkedin": "LinkedIn",
}
ENOUGH_CHANNELS = 3


def save_post(store: Store, week: str, title: str, path: str | None) -> dict[str, Any]:
    """Remember the week's post (one per week); returns it."""
    title = entries.title(title, "a post's title")
    with store.write() as db:
        row = db.execute(
            "SELECT * FROM posts WHERE week = ? ORDER BY id LIMIT 1", (week,)
        ).fetchone()
        if row is None:
            db.execute(
                "INSERT INTO posts (week, title, path, updated) VALUES (?,?,?,?)",
                (week, title, path, utc_now()),
            )
        else:
            db.execute(
                "UPDATE posts SET title = ?, path = coalesce(?, path), updated = ? WHERE id = ?",
                (title, path, utc_now(), row["id"]),
            )
    found = of_week(store, week)
    assert found is not None
    return found


def of_week(store: Store, week: str) -> dict[str, Any] | None:
    """The week's post with ``shares`` (channel, url, shared; oldest first), or None."""
    row = store.db.execute(
        "SELECT * FROM posts WHERE week = ? ORDER BY id LIMIT 1", (week,)
    ).fetchone()
    if row is None:
        return None
    found = dict(row)
    found["shares"] = [
        dict(share)
        for share in store.db.execute(
            "SELECT channel, url, shared FROM shares WHERE post_id = ? ORDER BY rowid", (row["id"],)
        )
    ]
    return found


def counted(post: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The shares that count towards ENOUGH_CHANNELS: those in the channels that q1lab knows, and in
    others that the learner named on purpose."""
    return list(post["shares"]) if post else []


def every(store: Store) -> list[dict[str, Any]]:
    """All weeks' posts, oldest first, as ``of_week`` gives them."""
    weeks = [row["week"] for row in store.db.execute("SELECT DISTINCT week FROM posts ORDER BY id")]
    return [found for week in weeks if (found := of_week(store, week))]


def publish(store: Store, week: str, url: str, title: str | None = None) -> dict[str, Any]:
    """Record the canonical address of the week's post: the one that every channel links to."""
    entries.web_address(url)
    found = of_week(store, week)
    if found is None:
        found = save_post(store, week, title or "Retrospective", None)
    with store.write() as db:
        db.execute(
            "UPDATE posts SET url = ?, published = coalesce(published, ?), title = ?, updated = ? "
            "WHERE id = ?",
            (url, utc_now(), title or found["title"], utc_now(), found["id"]),
        )
    again = of_week(store, week)
    assert again is not None
    return again


def share(
    store: Store, week: str, channel: str, url: str, *, replace: bool = False
) -> dict[str, Any]:
    """Record where the post was shared. Canonical first: Problem before ``publish``, and for a
    channel that has one unless ``replace``. ``channel`` is one of CHANNELS or a name of one's
    own."""
    entries.web_address(url)
    channel = channel_name(channel)
    found = of_week(store, week)
    if found is None or not found["url"]:
        raise Problem(
            "the canonical address comes first: `q1lab post publish URL`, then share that"
        )
    there = next((item for item in found["shares"] if item["channel"] == channel), None)
    if there and not replace:
        raise Problem(
            f"{channel} is recorded already ({there['url']}); --replace puts the new address in its place"
        )
    if url == found["url"]:
        raise Problem(
            f"{url} is the post itself; give the address of the entry on {CHANNELS.get(channel, channel)}"
        )
    with store.write() as db:
        db.execute(
            "INSERT OR REPLACE INTO shares VALUES (?,?,?,?)", (found["id"], channel, url, utc_now())
        )
    again = of_week(store, week)
    assert again is not None
    return again


def channel_name(given: str) -> str:
    """A channel's key: ``hn``, ``r-machinelearning`` … Common spellings are understood, others kept
    as they are."""
    key = entries.title(given, "a channel").lower()
    aliases = {
        "hackernews": "hn", "hacker news": "hn", "show hn": "hn", "showhn": "hn", "twitter": "x",
        "r/machinelearning": "r-machinelearning", "machinelearning": "r-machinelearning",
        "r/localllama": "r-localllama", "localllama": "r-localllama",
    }  # fmt: skip
    return aliases.get(key, key)
