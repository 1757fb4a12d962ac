"""The week's post: its draft, its published address, and the channels on which it was shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from q1lab.ground.errors import Problem, nearest
from q1lab.journal.store import Store
from q1lab.week.lists import entries

CHANNELS: Mapping[str, str] = {
    "hn": "Hacker News",
    "r-machinelearning": "r/MachineLearning",
    "r-localllama": "r/LocalLLaMA",
    "x": "X",
    "linkedin": "LinkedIn",
}
ENOUGH_CHANNELS = 3


def channel_title(channel: str) -> str:
    """A channel as a reader knows it; one of the learner's own is its own title."""
    return CHANNELS.get(channel, channel)


def shared_words(post: Mapping[str, Any] | None) -> str:
    """The progress of sharing: ``shared in 2 of 3 channels``, from there up ``shared in 4
    channels``."""
    done = len(counted_shares(post))
    if done < ENOUGH_CHANNELS:
        return f"shared in {done} of {ENOUGH_CHANNELS} channels"
    return f"shared in {done} channels"


def note_empty_sections(store: Store, week: str, sections: int) -> None:
    """Note how many sections of the week's draft are empty: a post with such sections is not
    counted as published."""
    if sections != empty_sections(store, week):
        store.set_setting(f"empty:{week}", sections)


def empty_sections(store: Store, week: str) -> int:
    """The number of empty sections when the week's draft was last read."""
    return int(store.setting(f"empty:{week}", 0))


def empty_words(sections: int) -> str:
    """``8 sections empty``; "" for none."""
    return f"{sections} section{'s' if sections > 1 else ''} empty" if sections else ""


def save_post(store: Store, week: str, title: str, path: str | None) -> dict[str, Any]:
    """Remember the week's post (one per week); returns it."""
    title = entries.clean_title(title, "a post's title")
    store.add("post", week=week, title=title, path=path)
    post = post_of_week(store, week)
    assert post is not None
    return post


def post_of_week(store: Store, week: str) -> dict[str, Any] | None:
    """The week's post with ``shares`` (channel, url, shared; oldest first) and ``empty`` (how many
    of its sections are), or None."""
    row = store.db.execute("SELECT * FROM posts WHERE week = ?", (week,)).fetchone()
    if row is None:
        return None
    post = dict(row)
    post["empty"] = empty_sections(store, week)
    post["shares"] = [
        dict(share)
        for share in store.db.execute(
            "SELECT channel, url, shared FROM shares WHERE week = ? ORDER BY rowid", (week,)
        )
    ]
    return post


def counted_shares(post: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The shares that count towards ENOUGH_CHANNELS: all that are on record."""
    return list(post["shares"]) if post else []


def is_out(post: Mapping[str, Any]) -> bool:
    """True if a post counts as published: it has its address, and no section of its draft is
    empty."""
    return bool(post["published"]) and not post["empty"]


def all_posts(store: Store) -> list[dict[str, Any]]:
    """All weeks' posts, oldest first, as ``post_of_week`` gives them."""
    weeks = [row["week"] for row in store.db.execute("SELECT week FROM posts ORDER BY rowid")]
    return [post for week in weeks if (post := post_of_week(store, week))]


def publish_post(store: Store, week: str, url: str) -> dict[str, Any]:
    """Record the canonical address of the week's post: the one that every channel links to."""
    entries.public_address(url)
    with store.act() as add:
        post = post_of_week(store, week)
        add("publish", week=week, url=url, title=post["title"] if post else "Retrospective")
    updated = post_of_week(store, week)
    assert updated is not None
    return updated


def published_post(store: Store, week: str) -> dict[str, Any]:
    """The week's post, with its address. Problem where it has none yet."""
    post = post_of_week(store, week)
    if post is None or not post["url"]:
        raise Problem(
            "first give the canonical address, which channels link to: ",
            next="`q1lab post publish URL`",
        )
    return post


def share_post(
    store: Store,
    week: str,
    channel: str,
    url: str,
    *,
    replace: bool = False,
    other: bool = False,
) -> dict[str, Any]:
    """Record where the post was shared. Canonical first: Problem before ``publish``, and for a
    channel that has one unless ``replace``. ``channel`` is one of CHANNELS, or with ``other`` a
    name of one's own."""
    entries.public_address(url)
    channel = channel_name(channel)
    if channel not in CHANNELS and not other:
        raise Problem(
            f"there is no channel {channel!r}",
            next=f"{nearest(channel, CHANNELS)} (--other records one that is not in the list)",
        )
    post = published_post(store, week)
    earlier_share = next((item for item in post["shares"] if item["channel"] == channel), None)
    if earlier_share and not replace:
        raise Problem(
            f"{channel} is recorded already ({earlier_share['url']})",
            next="--replace puts the new address in its place",
        )
    if url == post["url"]:
        raise Problem(
            f"{url} is the post itself",
            next=f"give the address of the entry on {channel_title(channel)}",
        )
    store.add("share", week=week, channel=channel, url=url)
    updated = post_of_week(store, week)
    assert updated is not None
    return updated


def channel_name(name: str) -> str:
    """A channel's key: ``hn``, ``r-machinelearning`` … Common spellings are understood, others kept
    as they are."""
    key = entries.clean_title(name, "a channel").lower()
    aliases = {
        "hackernews": "hn",
        "hacker news": "hn",
        "show hn": "hn",
        "showhn": "hn",
        "twitter": "x",
        "r/machinelearning": "r-machinelearning",
        "machinelearning": "r-machinelearning",
        "r/localllama": "r-localllama",
        "localllama": "r-localllama",
    }
    return aliases.get(key, key)
