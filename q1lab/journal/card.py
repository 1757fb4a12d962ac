"""The progress card: where the week stands, as a block of text, to share."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from q1lab.compare import keeping, telling
from q1lab.files import plain
from q1lab.formats import cut, given, hours
from q1lab.index import learned
from q1lab.index.store import Store
from q1lab.journal import evidence, kpis
from q1lab.week import progress
from q1lab.week.model import Week

BAR = 12


@dataclass(frozen=True)
class Line:
    """One session: steps done of all, seconds spent of minutes planned."""

    name: str
    title: str
    done: int
    total: int
    seconds: float
    minutes: int


@dataclass(frozen=True)
class Card:
    """What the card says. Every number is counted from the store."""

    label: str
    title: str
    sessions: tuple[Line, ...]
    study: str
    """The study that answers for the modification, in one line; without one the newest with a
    result; empty without any."""
    kpis: tuple[str, ...]


HOW = "Steps: the required ones, ticked by hand or by what happened."
"""What the card counts."""


def gather(store: Store, week: Week, counted: Sequence[kpis.KpiLine] | None = None) -> Card:
    """Count everything for the card. ``counted`` are the KPIs where the caller has looked at the
    learner's files, as `q1lab kpi` does."""
    done = evidence.read(store, week)
    week = progress.narrowed(week, done)
    sessions = []
    for session in week.sessions:
        count = done.count(session.parts)
        sessions.append(
            Line(
                session.id.upper(),
                plain(session.title),
                count.done,
                count.total,
                count.seconds,
                count.minutes,
            )
        )
    planned = [(one.id, one.title, float(one.target)) for one in week.kpis]
    numbers = [
        f"{given(one.actual)}{'' if one.target is None else f' of {one.target:g}'} "
        f"{plain(one.title)}"
        for one in (kpis.lines(store, planned) if counted is None else counted)
    ]
    newest = keeping.newest(store, learned.own_names(learned.modification(store, week.label)))
    study = telling.line(newest) if newest else ""
    return Card(week.name, plain(week.title), tuple(sessions), study, tuple(numbers))


def text(card: Card, width: int = 72) -> str:
    """The card as plain text, at most ``width`` columns."""
    lines = [f"{card.label} · {card.title}"[:width], ""]
    room = max(len(line.title) for line in card.sessions) if card.sessions else 0
    room = min(room, width - BAR - 30)
    for line in card.sessions:
        filled = round(BAR * line.done / line.total) if line.total else 0
        title = cut(line.title, room)
        steps = f"{line.done}/{line.total}"
        hours = _timed(line)
        lines.append(
            f"{line.name:<2}{title:<{room}}  {'█' * filled}{'░' * (BAR - filled)} {steps:>6}  "
            f"{hours}"
        )
    for words in (card.study, " · ".join(card.kpis), HOW):
        lines += ["", *textwrap.wrap(words, width)] if words else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _timed(line: Line) -> str:
    """The minutes of a session; a timer that never ran is no zero."""
    planned = hours(line.minutes * 60)
    return (
        f"{hours(line.seconds)} of {planned}" if line.seconds else f"not timed, {planned} planned"
    )
