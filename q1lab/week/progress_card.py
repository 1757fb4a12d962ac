"""The progress card: the state of the week as a block of text or as an SVG, to share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from q1lab.ground.files import printable
from q1lab.ground.text_formats import as_typed, cut, short_hours
from q1lab.index import learner_tables
from q1lab.index.store import Store
from q1lab.judgment.first_person_text import trained_sentence
from q1lab.judgment.verdict_text import verdict_sentence
from q1lab.verdict import comparison_cache
from q1lab.verdict.published_names import with_published_names
from q1lab.week import evidence, progress
from q1lab.week.lists import kpis
from q1lab.week.syllabus import Week

BAR = 12


@dataclass(frozen=True)
class SessionRow:
    """One session: steps done of all, seconds spent of minutes planned."""

    name: str
    title: str
    done: int
    total: int
    seconds: float
    minutes: int


@dataclass(frozen=True)
class ProgressCard:
    """The card's content. Every number is counted from the store."""

    label: str
    title: str
    sessions: tuple[SessionRow, ...]
    study: str
    """The study that answers for the modification, in two sentences; without one the newest with a
    result; empty without any."""
    kpis: tuple[str, ...]


HOW = "Only required steps count."
"""The note on what the card counts."""


def build_card(
    store: Store, week: Week, counted: Sequence[kpis.KpiRow] | None = None
) -> ProgressCard:
    """Count everything for the card. ``counted`` are the KPIs where the caller has looked at the
    learner's files, as `q1lab course kpi` does."""
    done = evidence.read_progress(store, week)
    week = progress.learner_week(week, done)
    sessions = []
    for session in week.sessions:
        count = done.count(session.parts)
        sessions.append(
            SessionRow(
                session.id.upper(),
                printable(session.title),
                count.done,
                count.total,
                count.seconds,
                count.minutes,
            )
        )
    numbers = [
        f"{as_typed(kpi.actual)}{'' if kpi.target is None else f' of {kpi.target:g}'} "
        f"{printable(kpi.title)}"
        for kpi in (kpis.kpi_rows(store, week.kpis) if counted is None else counted)
    ]
    newest = comparison_cache.newest_comparison(
        store,
        learner_tables.names_of_modification(learner_tables.modification_row(store, week.label)),
    )
    study = ""
    if newest is not None:
        c = with_published_names(newest)
        study = f"{trained_sentence(c)} {verdict_sentence(c, published=True)}"
    return ProgressCard(week.name, printable(week.title), tuple(sessions), study, tuple(numbers))


def card_text(card: ProgressCard, width: int = 72) -> str:
    """The card as plain text, at most ``width`` columns."""
    import textwrap

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
    lines += _folded(card, width)
    lines += ["", *textwrap.wrap(HOW, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _folded(card: ProgressCard, width: int) -> list[str]:
    import textwrap

    lines = []
    if card.study:
        lines += ["", *textwrap.wrap(card.study, width)]
    if card.kpis:
        lines += ["", *textwrap.wrap(" · ".join(card.kpis), width)]
    return lines


def card_svg(card: ProgressCard) -> str:
    """The card as an SVG of its own: system fonts, nothing to load."""
    import textwrap

    study = textwrap.wrap(card.study, 74)
    numbers = textwrap.wrap(" · ".join(card.kpis), 74)
    groups = [(study, "t"), (numbers, "m"), ([HOW], "m")]
    rows = len(card.sessions) * 52 + sum(len(lines) * 22 + 12 for lines, _ in groups if lines)
    height = 132 + rows
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" '
        f'width="640" height="{height}" role="img" aria-label="{escape(card.label)}: progress">',
        "<style>text{font-family:ui-sans-serif,system-ui,'Segoe UI',sans-serif;fill:#d8dee9}"
        ".m{fill:#8d97a8;font-size:14px}.t{font-size:16px}.h{font-size:22px;font-weight:600}</style>",
        f'<rect width="640" height="{height}" rx="14" fill="#12151b"/>',
        f'<text x="32" y="48" class="m">{escape(card.label)} · q1lab</text>',
        f'<text x="32" y="78" class="h">{escape(cut(card.title, 50))}</text>',
    ]
    y = 116
    for line in card.sessions:
        share = line.done / line.total if line.total else 0.0
        hours = f"{line.done} of {line.total} steps · {_timed(line)}"
        name = f"{escape(line.name)}  {escape(cut(line.title, 40))}"
        bar = f'<rect x="32" y="{y + 10}" height="8" rx="4"'
        out += [
            f'<text x="32" y="{y}" class="t">{name}</text>',
            f'<text x="608" y="{y}" class="m" text-anchor="end">{escape(hours)}</text>',
            f'{bar} width="576" fill="#2b3240"/>',
            f'{bar} width="{576 * share:.1f}" fill="#84c881"/>',
        ]
        y += 52
    for lines, css in groups:
        y += 12 if lines else 0
        for row in lines:
            out.append(f'<text x="32" y="{y}" class="{css}">{escape(row)}</text>')
            y += 22
    return "\n".join([*out, "</svg>"]) + "\n"


def _timed(line: SessionRow) -> str:
    """The minutes of a session; a timer that never ran is not shown as 0."""
    planned = short_hours(line.minutes * 60)
    return (
        f"{short_hours(line.seconds)} of {planned}"
        if line.seconds
        else f"not timed, {planned} planned"
    )
