"""The pages of the week, in the order one reads them: the overview, and each session's introduction
before its parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from q1lab.week.syllabus import Action, Block, Fold, Part, Session, Step, Text, Week

OVERVIEW = ":week"
"""The overview's id; a session's introduction is ``:a``. No part's id begins with a colon."""

Stop = Step | Action | Fold
"""What the cursor stops at."""


@dataclass(frozen=True)
class Sheet:
    """One page: a part with its text and steps, or text only."""

    id: str
    name: str
    """``A2``; empty for the overview."""
    title: str
    blocks: tuple[Block, ...]
    session: Session | None = None
    part: Part | None = None


def text_of(block: Block) -> str:
    """The words that a block of a page shows, its folds among them."""
    if isinstance(block, Step):
        return f"{block.title}\n{block.detail}"
    return block.markdown if isinstance(block, Text | Fold) else ""


def part_name(part: Part) -> str:
    """How a part is called on screen: ``A1``; an id that is a word keeps its form."""
    return part.id.upper() if len(part.id) <= 3 else part.id


def sheets(week: Week) -> Iterator[Sheet]:
    if week.overview:
        yield Sheet(OVERVIEW, "", week.title, week.overview)
    for session in week.sessions:
        if blocks := tuple(_introduction(session)):
            yield Sheet(f":{session.id}", session.id.upper(), session.title, blocks, session)
        for part in session.parts:
            yield Sheet(part.id, part_name(part), part.title, part.blocks, session, part)


def find(week: Week, sheet_id: str) -> Sheet | None:
    """The page with this id, or None: kept progress may name what an edited week no longer has."""
    return next((sheet for sheet in sheets(week) if sheet.id == sheet_id), None)


def after(week: Week, sheet_id: str, by: int = 1) -> Sheet | None:
    """The page ``by`` pages further; None at the ends."""
    every = list(sheets(week))
    index = next((k for k, sheet in enumerate(every) if sheet.id == sheet_id), 0) + by
    return every[index] if 0 <= index < len(every) else None


def _introduction(session: Session) -> Iterator[Block]:
    goal = f"**{session.goal}**" if session.goal else ""
    when = f"*{session.when}.*" if session.when else ""
    head = "\n\n".join(text for text in (goal, when, session.intro.strip()) if text)
    if head:
        yield Text(head, session.file, 1)
    if session.output:
        lines = "\n".join(f"- {one}" for one in session.output)
        yield Text(f"### At the end you have\n\n{lines}", session.file, 1)
