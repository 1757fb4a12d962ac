"""What the learner wrote down: predictions, KPIs, papers, artifacts, posts and where they were
shared.

Plain functions over the store; commands and screens use the same ones. The scoring of predictions
is pure.

A prediction says, before the runs: which way the final val loss will go, by how much, the smallest
difference that would matter (δ), and how sure one is. It locks when it is committed or when the
first study that carries it is planned. After that it can only be amended: the old one stays, the
new one has its own date, and what a study carries is what is scored.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.errors import Problem
from q1lab.files import plain, utc_now

if TYPE_CHECKING:
    from q1lab.index.store import Store

DIRECTIONS = ("lower", "higher", "same")
"""Of the modified arm's final val loss against the baseline's; ``same`` means within ±δ."""

DEPTHS = ("deep", "skim")
ARTIFACT_KINDS = ("repo", "notebook", "post", "study", "tool", "talk", "other")
CHANNELS: Mapping[str, str] = {
    "hn": "Hacker News (Show HN)",
    "r-machinelearning": "r/MachineLearning",
    "r-localllama": "r/LocalLLaMA",
    "x": "X",
    "linkedin": "LinkedIn",
}
ENOUGH_CHANNELS = 3

_SETTLED = {"helps": "lower", "hurts": "higher", "too small to matter": "same"}


# ── predictions
# ──────────────────────────────────────────────────────────────────────────────────────────


def predict(
    store: Store,
    week: str,
    variant: str,
    direction: str,
    *,
    size: float,
    matters: float,
    confidence: float,
    reasoning: str = "",
    amend: bool = False,
) -> dict[str, Any]:
    """Record a prediction and return it (see ``prediction``).

    ``size`` and ``matters`` are nats, ≥ 0; ``confidence`` is a probability. While the prediction is
    unlocked, it is replaced; once locked, Problem unless ``amend``, which keeps the old one and
    dates the new one.
    """
    if direction not in DIRECTIONS:
        raise Problem(
            f"a prediction's direction is one of {', '.join(DIRECTIONS)}, not {direction!r}"
        )
    for name, value in (("size", size), ("smallest difference that matters", matters)):
        if not math.isfinite(value) or value < 0:
            raise Problem(f"the {name} is a number of nats, 0 or more, not {value}")
    if not matters:
        raise Problem("the smallest difference that matters must be above 0 nats")
    if not math.isfinite(confidence) or not 0 <= confidence <= 1:
        raise Problem(f"how sure you are is a share between 0 and 100%, not {confidence}")
    if direction == "same" and size > matters:
        raise Problem(
            f"'same' means within ±{matters:g} nats, but the size is {size:g}: give --size 0, or a direction"
        )
    values = (direction, size, matters, confidence, reasoning.strip(), utc_now())
    with store.write() as db:
        now = _newest(db, week, variant)
        if now is not None and now["locked"] is None:
            db.execute(
                "UPDATE predictions SET direction = ?, size = ?, matters = ?, confidence = ?, reasoning = ?, "
                "created = ? "
                "WHERE id = ?",
                (*values, now["id"]),
            )
        elif now is not None and not amend:
            raise Problem(
                f"your prediction for {variant} has been locked since {now['locked']} ({now['locked_by']}); "
                "--amend adds a dated amendment and keeps the first one"
            )
        else:
            db.execute(
                "INSERT INTO predictions (direction, size, matters, confidence, reasoning, created, week, "
                "variant, "
                "amends) VALUES (?,?,?,?,?,?,?,?,?)",
                (*values, week, variant, now["id"] if now else None),
            )
    found = prediction(store, variant, week)
    assert found is not None
    return found


def prediction(store: Store, variant: str, week: str | None = None) -> dict[str, Any] | None:
    """The newest prediction for ``variant`` (of ``week``, else of any), or None.

    Keys: id, week, variant, direction, size, matters, confidence, reasoning, created, locked,
    locked_by, and ``amended``: the earlier versions, newest first, with the same keys but that one.
    """
    row = _newest(store.db, week, variant)
    return _with_history(store.db, row) if row else None


def predictions(store: Store, week: str | None = None) -> list[dict[str, Any]]:
    """The newest prediction for every week and variant, oldest first."""
    rows = store.db.execute(
        "SELECT * FROM predictions p WHERE (? IS NULL OR week = ?) "
        "AND id NOT IN (SELECT amends FROM predictions WHERE amends IS NOT NULL) ORDER BY id",
        (week, week),
    ).fetchall()
    return [_with_history(store.db, row) for row in rows]


def lock(store: Store, variant: str, by: str, week: str | None = None) -> dict[str, Any] | None:
    """Lock the newest prediction for ``variant``; ``by`` says what locked it (``commit 1a2b3c``).
    None without one."""
    with store.write() as db:
        row = _newest(db, week, variant)
        if row is not None and row["locked"] is None:
            db.execute(
                "UPDATE predictions SET locked = ?, locked_by = ? WHERE id = ?",
                (utc_now(), by, row["id"]),
            )
    return prediction(store, variant, week)


def locked_prediction(
    store: Store, variant: str, by: str = "the first run of its study"
) -> dict[str, Any] | None:
    """What a study that is being planned carries: the newest prediction for ``variant``, locked
    from now on.

    Returns plain JSON types (the dict of ``prediction``), or None when nothing was predicted.
    """
    found = lock(store, variant, by)
    if found is None:
        # The learner's own file: the prediction was made for the modification that the file
        # implements.
        for row in store.db.execute(
            "SELECT variant, file FROM modifications WHERE file IS NOT NULL"
        ):
            if Path(row["file"]).stem == variant.removesuffix("*"):
                found = found or lock(store, row["variant"], by)
    return found


def _newest(db: sqlite3.Connection, week: str | None, variant: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM predictions WHERE variant = ? AND (? IS NULL OR week = ?) ORDER BY id DESC LIMIT 1",
        (variant, week, week),
    ).fetchone()
    return row


def _with_history(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    found = _plain_row(row)
    earlier = []
    before = row["amends"]
    while before is not None:
        old = db.execute("SELECT * FROM predictions WHERE id = ?", (before,)).fetchone()
        earlier.append(_plain_row(old))
        before = old["amends"]
    found["amended"] = earlier
    return found


def _plain_row(row: sqlite3.Row) -> dict[str, Any]:
    return {key: row[key] for key in row.keys() if key != "amends"}  # noqa: SIM118  (a Row iterates over values)


@dataclass(frozen=True)
class Score:
    """A prediction against the outcome of a study.

    ``outcome`` is ``hit``, ``miss`` or ``open`` (the comparison could not tell). ``off`` is how far
    the predicted difference was from the measured one, in nats, or None without a mean. ``inside``
    says whether the predicted difference lies in the 95% interval.
    """

    outcome: str
    predicted: float
    measured: float | None
    off: float | None
    inside: bool | None
    confidence: float | None

    def sentence(self) -> str:
        """The score in plain words."""
        words = {
            "hit": "Hit: the direction came out as predicted.",
            "miss": "Miss: the direction did not come out as predicted.",
            "open": "Open: this comparison cannot settle the direction, so it counts neither way.",
        }[self.outcome]
        if self.off is None:
            return words
        words += f" Predicted {signed(self.predicted)} nats, measured {signed(self.measured)}: "
        words += f"off by {self.off:.3f}."
        if self.inside is not None:
            words += f" The predicted size lies {'inside' if self.inside else 'outside'} the 95% interval."
        return words


def score(predicted: Mapping[str, Any], record: Mapping[str, Any]) -> Score:
    """Score a prediction against a comparison record (the dict of ``q1lab compare --json``)."""
    size = float(predicted.get("size") or 0.0)
    difference = {"lower": -size, "higher": size, "same": 0.0}[predicted["direction"]]
    found = record.get("difference") or {}
    measured = found.get("mean")
    ends = found.get(found.get("headline") or "welch")
    settled = _SETTLED.get(record.get("verdict", ""))
    outcome = "open" if settled is None else "hit" if settled == predicted["direction"] else "miss"
    return Score(
        outcome,
        difference,
        measured,
        None if measured is None else abs(difference - measured),
        None if ends is None else bool(ends["low"] <= difference <= ends["high"]),
        predicted.get("confidence"),
    )


def calibration(scores: Sequence[Score]) -> str:
    """One line over all scored predictions: how sure one was, and how often right."""
    settled = [item for item in scores if item.outcome != "open" and item.confidence is not None]
    still_open = sum(item.outcome == "open" for item in scores)
    tail = f" {still_open} still open." if still_open else ""
    if not settled:
        return "No prediction has been settled by a comparison yet." + tail
    sure = sum(item.confidence or 0.0 for item in settled) / len(settled)
    hits = sum(item.outcome == "hit" for item in settled)
    brier = sum(
        ((item.confidence or 0.0) - (item.outcome == "hit")) ** 2 for item in settled
    ) / len(settled)
    many = "prediction" if len(settled) == 1 else "predictions"
    return (
        f"Over {len(settled)} settled {many} you were {sure:.0%} sure on average and right in {hits} "
        f"({hits / len(settled):.0%}); Brier score {brier:.2f} (0 is perfect, 0.25 is a coin)."
        + tail
    )


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign, a real minus: ``−0.012``."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{digits}f}"


# ── KPIs
# ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class KpiLine:
    """One KPI: ``source`` says where ``actual`` comes from, ``counted`` what q1lab can count itself
    (or None)."""

    name: str
    title: str
    target: float | None
    target_from: str
    actual: float | None
    source: str
    counted: int | None

    @property
    def met(self) -> bool | None:
        if self.target is None or self.actual is None:
            return None
        return self.actual >= self.target


def set_kpi(
    store: Store,
    name: str,
    *,
    actual: float | None = None,
    target: float | None = None,
    count: bool = False,
) -> None:
    """Set a KPI by hand, or with ``count`` go back to what q1lab counts. Problem for a name or
    number that is none."""
    name = _title(name, "a KPI's name")
    for value in (actual, target):
        if value is not None and (not math.isfinite(value) or value < 0):
            raise Problem(f"a KPI is a number, 0 or more, not {value}")
    if actual is None and target is None and not count:
        raise Problem("give --actual, --target, or --count")
    with store.write() as db:
        row = db.execute("SELECT * FROM kpis WHERE name = ?", (name,)).fetchone()
        now: dict[str, float | None] = {
            "target": row["target"] if row else None,
            "actual": row["actual"] if row else None,
        }
        if target is not None:
            now["target"] = target
        if actual is not None:
            now["actual"] = actual
        if count:
            now["actual"] = None
        source = "by hand" if now["actual"] is not None else None
        db.execute(
            "INSERT OR REPLACE INTO kpis (name, target, actual, source, updated) VALUES (?,?,?,?,?)",
            (name, now["target"], now["actual"], source, utc_now()),
        )


def kpis(
    store: Store,
    planned: Sequence[tuple[str, str, float]] = (),
    roadmap: Mapping[str, float] | None = None,
    roadmap_name: str = "the roadmap",
    *,
    public_repos: int | None = None,
) -> list[KpiLine]:
    """All KPIs: those of the week (id, title, target), those of the roadmap, and those that were
    set by hand.

    A target set by hand goes before the roadmap's, that before the week's; an actual set by hand
    goes before the counted one. ``public_repos`` is their number where the caller has looked at the
    repositories themselves.
    """
    by_hand = {row["name"]: row for row in store.db.execute("SELECT * FROM kpis ORDER BY rowid")}
    titles = {name: title for name, title, _ in planned}
    names = list(dict.fromkeys([*titles, *(roadmap or {}), *by_hand]))
    week_targets = {name: target for name, _, target in planned}
    counted = counts(store)
    if public_repos is not None:
        counted["repos"] = public_repos
    lines = []
    for name in names:
        row = by_hand.get(name)
        target: float | None
        if row is not None and row["target"] is not None:
            target, origin = row["target"], "set by hand"
        elif roadmap and name in roadmap:
            target, origin = roadmap[name], roadmap_name
        elif name in week_targets:
            target, origin = week_targets[name], "the week"
        else:
            target, origin = None, ""
        count = counted.get(_counter_of(name, titles.get(name, name)) or "")
        if row is not None and row["actual"] is not None:
            actual, source = row["actual"], "set by hand"
        elif count is not None:
            actual, source = float(count), "counted"
        else:
            actual, source = None, "not known"
        lines.append(KpiLine(name, titles.get(name, name), target, origin, actual, source, count))
    return lines


def counts(store: Store) -> dict[str, int]:
    """What q1lab can count itself: repositories with a public address, published posts, papers read
    deeply."""

    def one(sql: str) -> int:
        return int(store.db.execute(sql).fetchone()[0])

    return {
        "repos": one(
            "SELECT count(DISTINCT location) FROM artifacts WHERE kind = 'repo' AND location LIKE 'http%://%'"
        ),
        "posts": one(
            "SELECT count(*) FROM (SELECT url FROM posts WHERE published IS NOT NULL UNION "
            "SELECT location FROM artifacts WHERE kind = 'post' AND location LIKE 'http%://%')"
        ),
        "papers": one("SELECT count(*) FROM papers WHERE done IS NOT NULL AND depth = 'deep'"),
    }


def _counter_of(name: str, title: str) -> str | None:
    """Which count belongs to a KPI, by a word in its name or title."""
    words = f"{name} {title}".lower()
    for word, counter in (
        ("repo", "repos"),
        ("post", "posts"),
        ("blog", "posts"),
        ("paper", "papers"),
    ):
        if word in words:
            return counter
    return None


# ── papers and artifacts
# ─────────────────────────────────────────────────────────────────────────────────


def add_paper(
    store: Store,
    title: str,
    *,
    link: str | None = None,
    week: str | None = None,
    depth: str = "deep",
    notes: str = "",
) -> int:
    """Add a paper to read; returns its number. Problem when the title is there already, or the link
    is none."""
    if depth not in DEPTHS:
        raise Problem(f"a paper is read {' or '.join(DEPTHS)}, not {depth!r}")
    title = _title(title, "a paper's title")
    if link:
        web_address(link)
    try:
        with store.write() as db:
            cursor = db.execute(
                "INSERT INTO papers (title, link, week, depth, added, notes) VALUES (?,?,?,?,?,?)",
                (title, link, week, depth, utc_now(), notes),
            )
    except sqlite3.IntegrityError:
        raise Problem(
            f"the paper {title!r} is in your list already; `q1lab paper list` shows it"
        ) from None
    return int(cursor.lastrowid or 0)


def finish_paper(
    store: Store, which: str, *, depth: str | None = None, notes: str | None = None
) -> dict[str, Any]:
    """Mark a paper, given by number or by (part of) its title, as read; returns it."""
    row = _find(store, "papers", which, "q1lab paper list")
    if depth is not None and depth not in DEPTHS:
        raise Problem(f"a paper is read {' or '.join(DEPTHS)}, not {depth!r}")
    with store.write() as db:
        db.execute(
            "UPDATE papers SET done = coalesce(done, ?), depth = coalesce(?, depth), notes = coalesce(?, "
            "notes) "
            "WHERE id = ?",
            (utc_now(), depth, notes, row["id"]),
        )
    return dict(store.db.execute("SELECT * FROM papers WHERE id = ?", (row["id"],)).fetchone())


def papers(store: Store) -> list[dict[str, Any]]:
    """All papers, oldest first: id, title, link, week, depth, added, done, notes."""
    return [dict(row) for row in store.db.execute("SELECT * FROM papers ORDER BY id")]


def add_artifact(
    store: Store, kind: str, title: str, *, location: str | None = None, week: str | None = None
) -> int:
    """Add something shipped; returns its number. ``location`` is an address or a path."""
    if kind not in ARTIFACT_KINDS:
        raise Problem(f"an artifact is one of {', '.join(ARTIFACT_KINDS)}, not {kind!r}")
    title = _title(title, "an artifact's title")
    if location and "://" in location:
        web_address(location)
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


def remove_artifact(store: Store, which: str) -> dict[str, Any]:
    """Take an artifact, given by number or title, off the list; returns it."""
    row = _find(store, "artifacts", which, "q1lab artifact list")
    with store.write() as db:
        db.execute("DELETE FROM artifacts WHERE id = ?", (row["id"],))
    return row


def artifacts(store: Store) -> list[dict[str, Any]]:
    """All artifacts, oldest first: id, kind, title, location, week, added."""
    return [dict(row) for row in store.db.execute("SELECT * FROM artifacts ORDER BY id")]


def _find(store: Store, table: str, which: str, listing: str) -> dict[str, Any]:
    # a fixed name
    rows = [dict(row) for row in store.db.execute(f"SELECT * FROM {table} ORDER BY id")]
    wanted = which.strip().lower()
    found = [row for row in rows if str(row["id"]) == wanted or row["title"].lower() == wanted]
    found = found or [row for row in rows if wanted and wanted in row["title"].lower()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Problem(f"nothing in your list matches {which!r}; `{listing}` shows what is there")
    raise Problem(f"{which!r} matches {len(found)} entries; give a number from `{listing}`")


# ── the post and its channels
# ────────────────────────────────────────────────────────────────────────────


def save_post(store: Store, week: str, title: str, path: str | None) -> dict[str, Any]:
    """Remember the week's post (one a week); returns it."""
    title = _title(title, "a post's title")
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
    found = post(store, week)
    assert found is not None
    return found


def post(store: Store, week: str) -> dict[str, Any] | None:
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


def posts(store: Store) -> list[dict[str, Any]]:
    """All weeks' posts, oldest first, as ``post`` gives them."""
    weeks = [row["week"] for row in store.db.execute("SELECT DISTINCT week FROM posts ORDER BY id")]
    return [found for week in weeks if (found := post(store, week))]


def publish(store: Store, week: str, url: str, title: str | None = None) -> dict[str, Any]:
    """Record the canonical address of the week's post: the one that every channel links to."""
    web_address(url)
    found = post(store, week)
    if found is None:
        found = save_post(store, week, title or "Retrospective", None)
    with store.write() as db:
        db.execute(
            "UPDATE posts SET url = ?, published = coalesce(published, ?), title = ?, updated = ? WHERE id = "
            "?",
            (url, utc_now(), title or found["title"], utc_now(), found["id"]),
        )
    again = post(store, week)
    assert again is not None
    return again


def share(
    store: Store, week: str, channel: str, url: str, *, replace: bool = False
) -> dict[str, Any]:
    """Record where the post was shared. Canonical first: Problem before ``publish``, and for a
    channel that has one unless ``replace``. ``channel`` is one of CHANNELS or a name of one's
    own."""
    web_address(url)
    channel = channel_name(channel)
    found = post(store, week)
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
    again = post(store, week)
    assert again is not None
    return again


def channel_name(given: str) -> str:
    """A channel's key: ``hn``, ``r-machinelearning`` … Common spellings are understood, others kept
    as they are."""
    key = _title(given, "a channel").lower()
    aliases = {
        "hackernews": "hn", "hacker news": "hn", "show hn": "hn", "showhn": "hn", "twitter": "x",
        "r/machinelearning": "r-machinelearning", "machinelearning": "r-machinelearning",
        "r/localllama": "r-localllama", "localllama": "r-localllama",
    }  # fmt: skip
    return aliases.get(key, key)


def web_address(url: str) -> str:
    """``url`` when it is an http(s) address, else Problem."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and ("." in (parts.hostname or "") or parts.hostname == "localhost")
            and not any(
                character.isspace() or character in "<>\"'`" or ord(character) < 32
                for character in url
            )
        )
    except ValueError:
        good = False
    if not good:
        raise Problem(
            f"{plain(url)!r} is not a web address; it looks like https://example.org/my-post"
        )
    if parts.username or parts.password:
        raise Problem("this address holds a user name or password; give it without")
    return url


def _title(text: str, what: str) -> str:
    cleaned = " ".join(plain(text).split())
    if not cleaned:
        raise Problem(f"{what} can't be empty")
    if len(cleaned) > 300:
        raise Problem(f"{what} is too long ({len(cleaned)} characters; at most 300)")
    return cleaned
