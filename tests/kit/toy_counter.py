"""A counter for KPIs in one file."""

from __future__ import annotations

from q1lab.index.store import Store
from q1lab.week.lists.kpis import CountedKpi


def sonnets(store: Store) -> CountedKpi:
    (number,) = store.db.execute(
        "SELECT count(*) FROM artifacts WHERE kind = 'other' AND title LIKE 'Sonnet%'"
    ).fetchone()
    return CountedKpi(number, "sonnets on record")
