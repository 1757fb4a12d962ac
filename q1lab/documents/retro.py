"""Q1_RETRO.md: what the quarter came to. Rendering is a pure function of its record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from q1lab.documents.markdown import Md, table
from q1lab.documents.modification import Answer
from q1lab.documents.templates import Rendered, count, minutes, render
from q1lab.journal.kpis import KpiLine

TEMPLATE = "retro.md.j2"
OVER = 1.25
"""A part slipped when it took more than this many times its planned minutes."""
ACCELERATED, SUSTAINABLE = 0.85, 1.25
"""Actual over planned minutes: below the first the pace was accelerated, up to the second
sustainable."""


@dataclass(frozen=True)
class Repo:
    """A repository; ``notebooks`` is None where q1lab could not look inside."""

    title: str
    location: str | None
    notebooks: int | None


@dataclass(frozen=True)
class Post:
    title: str
    url: str | None
    published: str | None
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """Another artifact."""

    kind: str
    title: str
    location: str | None


@dataclass(frozen=True)
class Paper:
    title: str
    link: str | None


@dataclass(frozen=True)
class Open:
    """A part with required steps that are not done; ``steps`` is empty when none of its ``total``
    is."""

    part: str
    steps: tuple[str, ...]
    total: int


@dataclass(frozen=True)
class PartTime:
    """Planned and actual minutes of a part, and whether its required steps are done."""

    title: str
    planned: float
    actual: float
    finished: bool


@dataclass(frozen=True)
class Tick:
    title: str
    ticked: bool


@dataclass(frozen=True)
class Retro:
    """Everything that the retrospective says. Fields of type Md are tables, made by the functions
    below."""

    week: str
    quarter: str
    next_quarter: str
    next_week: str
    repositories: tuple[Repo, ...] = ()
    posts: tuple[Post, ...] = ()
    studies: Md | None = None
    others: tuple[Item, ...] = ()
    kpis: Md | None = None
    papers: tuple[Paper, ...] = ()
    insights: tuple[Answer, ...] = ()
    slipped_words: tuple[Answer, ...] = ()
    unfinished: tuple[Open, ...] = ()
    overrun: Md | None = None
    times: Md | None = None
    pace_words: str = ""
    pace_answer: tuple[Answer, ...] = ()
    plan: tuple[Answer, ...] = ()
    confidence: tuple[Tick, ...] = ()
    assessment: tuple[Tick, ...] = ()
    predictions: Md | None = None
    calibration: str = ""


def document(record: Retro, root: Path | None = None) -> Rendered:
    """The document and its regions."""
    return render(TEMPLATE, record, root)


def file_name(quarter: str) -> str:
    """``Q1_RETRO.md``."""
    return f"{quarter}_RETRO.md"


def quarter_of(label: str) -> str:
    """The quarter of a week's label: ``M03-W04`` is in Q1. Q1 for a label of another form."""
    month = re.match(r"M(\d+)", label)
    return f"Q{(int(month[1]) - 1) // 3 + 1}" if month and int(month[1]) > 0 else "Q1"


def next_quarter_of(label: str) -> str:
    """The quarter after the one of ``label``."""
    return f"Q{int(quarter_of(label)[1:]) + 1}"


def kpi_table(lines: Sequence[KpiLine]) -> Md:
    """KPIs with target, actual and where each comes from."""
    if not lines:
        return Md("*No KPI is set; `q1lab kpi set` makes one.*")
    rows = [
        [
            line.title,
            count(line.target),
            count(line.actual),
            {True: "met", False: "not met", None: "–"}[line.met],
            line.source,
        ]
        for line in lines
    ]
    return table(["KPI", "target", "actual", "", "actual from"], rows, right=(1, 2))


def time_table(parts: Sequence[PartTime]) -> Md | None:
    """Planned against actual minutes of the parts that were worked on, and their sum; None without
    any time."""
    worked = [part for part in parts if part.actual > 0]
    if not worked:
        return None
    rows: list[list[object]] = [
        [part.title, minutes(part.planned), minutes(part.actual), _ratio(part.actual, part.planned)]
        for part in worked
    ]
    planned, actual = sum(part.planned for part in worked), sum(part.actual for part in worked)
    rows.append([Md("**together**"), minutes(planned), minutes(actual), _ratio(actual, planned)])
    return table(["part", "planned", "actual", "actual / planned"], rows, right=(1, 2, 3))


def overrun_table(parts: Sequence[PartTime]) -> Md | None:
    """The parts that ran over by more than a quarter; None without one."""
    over = [part for part in parts if part.planned and part.actual > OVER * part.planned]
    if not over:
        return None
    rows = [[part.title, minutes(part.planned), minutes(part.actual)] for part in over]
    return table(["part", "planned", "actual"], rows, right=(1, 2))


def pace(parts: Sequence[PartTime]) -> str:
    """``sustainable``, ``accelerated`` or ``behind``: a proposal from the minutes, or ``""``
    without any."""
    worked = [part for part in parts if part.actual > 0 and part.planned > 0]
    if not worked:
        return ""
    ratio = sum(part.actual for part in worked) / sum(part.planned for part in worked)
    done = sum(part.finished for part in parts)
    if ratio > SUSTAINABLE or done < len(parts) / 2:
        return "behind"
    return "accelerated" if ratio < ACCELERATED and done == len(parts) else "sustainable"


def pace_words(parts: Sequence[PartTime]) -> str:
    """The proposal as a sentence with its reasons."""
    word = pace(parts)
    if not word:
        return ""
    worked = [part for part in parts if part.actual > 0]
    planned, actual = sum(part.planned for part in worked), sum(part.actual for part in worked)
    done = sum(part.finished for part in parts)
    return (
        f"The clock proposes: {word}. {minutes(actual)} were spent on parts planned at {minutes(planned)}, "
        f"and {done} of {len(parts)} parts are finished. The last word is the learner's."
    )


def ticked_in(body: bytes) -> frozenset[str]:
    """Titles of the boxes that are ticked in a document's region: a tick made in the file
    counts."""
    found = re.findall(r"^\s*[-*+] \[[xX]\] (.+?)\s*$", body.decode(errors="replace"), re.MULTILINE)
    return frozenset(found)


def _ratio(actual: float, planned: float) -> str:
    return f"{actual / planned:.2f}" if planned else "–"
