"""KPIs: the quarter's numbers against their targets, set by hand or counted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from q1lab.errors import Problem
from q1lab.journal import entries, posts

if TYPE_CHECKING:
    from q1lab.index.store import Store


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
    how: str = ""
    """What is counted, in words; empty where q1lab can't count it."""

    @property
    def origin(self) -> str:
        """Where the actual comes from, in words, for a table."""
        if self.source == "set by hand" and self.counted is not None:
            return f"set by hand ({self.counted} counted: {self.how})"
        return f"counted: {self.how}" if self.source == "counted" else self.source

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
    name = entries.title(name, "a KPI's name")
    for value in (actual, target):
        if value is not None and (not math.isfinite(value) or value < 0):
            raise Problem(f"a KPI is a number, 0 or more, not {value}")
    if actual is None and target is None and not count:
        raise Problem("give --actual, --target, or --count")
    with store.act() as add:
        row = store.db.execute("SELECT * FROM kpis WHERE name = ?", (name,)).fetchone()
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
        add("kpi", name=name, **now)


def lines(
    store: Store,
    planned: Sequence[tuple[str, str, float]] = (),
    roadmap: Mapping[str, float] | None = None,
    roadmap_name: str = "the roadmap",
    *,
    public_repos: int | None = None,
    other_repos: int = 0,
) -> list[KpiLine]:
    """All KPIs: those of the week (id, title, target), those of the roadmap, and those that were
    set by hand.

    A target set by hand goes before the roadmap's, that before the week's; an actual set by hand
    goes before the counted one. ``public_repos`` is their number where the caller has looked at the
    repositories themselves, ``other_repos`` the number of those without a public address.
    """
    by_hand = {row["name"]: row for row in store.db.execute("SELECT * FROM kpis ORDER BY rowid")}
    titles = {name: title for name, title, _ in planned}
    names = list(dict.fromkeys([*titles, *(roadmap or {}), *by_hand]))
    week_targets = {name: target for name, _, target in planned}
    counted = counts(store)
    if public_repos is not None:
        counted["repos"] = public_repos
    found = []
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
        counter = _counter_of(name, titles.get(name, name)) or ""
        count, how = counted.get(counter), HOW.get(counter, "")
        if counter == "repos" and other_repos:
            how += f" ({other_repos} without one not counted)"
        if counter == "posts":
            unwritten = [one for one in posts.every(store) if one["published"] and one["empty"]]
            how += "".join(
                f" (one with {posts.empty_words(one['empty'])} not counted)" for one in unwritten
            )
        if row is not None and row["actual"] is not None:
            actual, source = row["actual"], "set by hand"
        elif count is not None:
            actual, source = float(count), "counted"
        else:
            actual, source = None, "not known"
        found.append(
            KpiLine(name, titles.get(name, name), target, origin, actual, source, count, how)
        )
    return found


HOW = {
    "repos": "repositories with a public address",
    "posts": "posts with an address where they are published",
    "papers": "papers marked as read deeply",
}
"""What ``counts`` counts."""


POSTS_ON_RECORD = "SELECT location FROM artifacts WHERE kind = 'post' AND location LIKE 'http%://%'"


def counts(store: Store) -> dict[str, int]:
    """What q1lab can count itself: repositories with a public address, posts that are out, papers
    read deeply."""

    def one(sql: str) -> int:
        return int(store.db.execute(sql).fetchone()[0])

    return {
        "repos": one(
            "SELECT count(DISTINCT location) FROM artifacts WHERE kind = 'repo' AND location LIKE "
            "'http%://%'"
        ),
        "posts": len(
            {item["url"] for item in posts.every(store) if posts.is_out(item)}
            | {row["location"] for row in store.db.execute(POSTS_ON_RECORD)}
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
