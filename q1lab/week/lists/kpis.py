"""KPIs: the quarter's numbers against their targets, set by hand or counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from q1lab.ground.errors import Problem
from q1lab.journal.store import Store
from q1lab.week.lists import entries, posts
from q1lab.week.syllabus import Kpi


@dataclass(frozen=True)
class KpiRow:
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
    """A description of the count; empty where q1lab can't count it."""

    @property
    def origin(self) -> str:
        """The source of the actual, in words, for a table."""
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
    """Set a KPI by hand, or with ``count`` go back to what q1lab counts. Problem for an empty
    name or a number below 0."""
    name = entries.clean_title(name, "a KPI's name")
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


def kpi_rows(
    store: Store,
    planned: Sequence[Kpi] = (),
    *,
    repos: CountedKpi | None = None,
) -> list[KpiRow]:
    """All KPIs: those of the week, and those that were set by hand.

    A target set by hand goes before the week's; an actual set by hand goes before the counted one.
    ``repos`` counts the repositories where the caller has looked at them.
    """
    by_hand = {row["name"]: row for row in store.db.execute("SELECT * FROM kpis ORDER BY rowid")}
    of_week = {kpi.id: kpi for kpi in planned}
    rows = []
    for name in dict.fromkeys([*of_week, *by_hand]):
        row, kpi = by_hand.get(name), of_week.get(name)
        target: float | None
        if row is not None and row["target"] is not None:
            target, origin = row["target"], "set by hand"
        elif kpi is not None:
            target, origin = float(kpi.target), "the week"
        else:
            target, origin = None, ""
        counter = COUNTERS.get(kpi.counter) if kpi is not None else None
        counted = None if counter is None else counter(store)
        if repos is not None and counter is public_repos:
            counted = repos
        if row is not None and row["actual"] is not None:
            actual, source = row["actual"], "set by hand"
        elif counted is not None:
            actual, source = float(counted.number), "counted"
        else:
            actual, source = None, "not known"
        title = name if kpi is None else kpi.title
        number, how = counted or (None, "")
        rows.append(KpiRow(name, title, target, origin, actual, source, number, how))
    return rows


class CountedKpi(NamedTuple):
    """A number that q1lab counted itself, with a description."""

    number: int
    how: str


POSTS_ON_RECORD = "SELECT location FROM artifacts WHERE kind = 'post' AND location LIKE 'http%://%'"


def public_repos(store: Store) -> CountedKpi:
    """The repositories on record that have a public address."""
    (number,) = store.db.execute(
        "SELECT count(DISTINCT location) FROM artifacts WHERE kind = 'repo' AND location LIKE "
        "'http%://%'"
    ).fetchone()
    return repo_count(number)


def repo_count(public: int, others: int = 0) -> CountedKpi:
    """``others`` are repositories without a public address."""
    have = "has" if others == 1 else "have"
    uncounted = f"; {others} more {have} none" if others else ""
    return CountedKpi(public, f"repositories with a public address{uncounted}")


def published_posts(store: Store) -> CountedKpi:
    """The posts that are out, without those whose draft still has empty sections."""
    posts_of_weeks = posts.all_posts(store)
    out = {item["url"] for item in posts_of_weeks if posts.is_out(item)}
    out |= {row["location"] for row in store.db.execute(POSTS_ON_RECORD)}
    unwritten = "".join(
        f"; one more has {posts.empty_words(post['empty'])}"
        for post in posts_of_weeks
        if post["published"] and post["empty"]
    )
    return CountedKpi(len(out), f"posts with an address where they are published{unwritten}")


def papers_read(store: Store) -> CountedKpi:
    (number,) = store.db.execute(
        "SELECT count(*) FROM papers WHERE done IS NOT NULL AND depth = 'deep'"
    ).fetchone()
    return CountedKpi(number, "papers marked as read deeply")


COUNTERS: Mapping[str, Callable[[Store], CountedKpi]] = {
    "repos": public_repos,
    "posts": published_posts,
    "papers": papers_read,
}
"""The counters that a KPI of week.toml may name."""
