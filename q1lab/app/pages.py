"""The pages of the week in reading order: the overview, then each session's introduction before its
parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from q1lab.week.syllabus import IMPORTANCE, Action, Block, Fold, Part, Session, Step, Text, Week

OVERVIEW = ":week"
"""The overview's id; a session's introduction is ``:a``. No part's id begins with a colon."""

CursorStop = Step | Action | Fold
"""A block on which the cursor can stand."""


@dataclass(frozen=True)
class WeekPage:
    """One page: a part with its text and steps, or text only."""

    id: str
    name: str
    """A2; empty for the overview."""
    title: str
    blocks: tuple[Block, ...]
    session: Session | None = None
    part: Part | None = None
    title_by_needed_step: Mapping[str, str] = field(default_factory=dict)
    """The titles, in quotes, of the steps that its folds wait for, with the part that such a step
    is in where that is another."""


def block_text(block: Block) -> str:
    """The text of a block, folded text included."""
    if isinstance(block, Step):
        return f"{block.title}\n{block.detail}"
    return block.markdown if isinstance(block, Text | Fold) else ""


def week_pages(week: Week) -> Iterator[WeekPage]:
    if week.overview:
        yield WeekPage(OVERVIEW, "", week.title, week.overview)
    for session in week.sessions:
        if blocks := tuple(_introduction(session)):
            yield WeekPage(f":{session.id}", session.id.upper(), session.title, blocks, session)
        for part in session.parts:
            needed = _title_by_needed_step(week, part)
            blocks = (*_longer_than_planned(part), *part.blocks)
            yield WeekPage(part.id, part.name, part.title, blocks, session, part, needed)


def _longer_than_planned(part: Part) -> Iterator[Block]:
    """What to leave out where a part takes longer than its plan says."""
    if part.allowance > part.minutes:
        yield Text(
            f"*Planned: {part.minutes} minutes; allow {part.allowance}. Short of time? Its steps "
            f"with three dots take {part.minutes_of(IMPORTANCE[:1])}.*"
        )


def _title_by_needed_step(week: Week, page: Part) -> dict[str, str]:
    needed = {block.needs for block in page.blocks if isinstance(block, Fold) and block.needs}
    return {
        step.id: f'"{step.title}"' + ("" if part is page else f" in {part.name}")
        for part in week.parts()
        for step in part.steps
        if step.id in needed
    }


def find_page(week: Week, page_id: str) -> WeekPage | None:
    """The page with this id, or None: saved progress may name a page that an edit has removed."""
    return next((page for page in week_pages(week) if page.id == page_id), None)


def page_after(week: Week, page_id: str, by: int = 1) -> WeekPage | None:
    """The page ``by`` pages after this one; None beyond the first or last."""
    pages = list(week_pages(week))
    index = next((k for k, page in enumerate(pages) if page.id == page_id), 0) + by
    return pages[index] if 0 <= index < len(pages) else None


def _introduction(session: Session) -> Iterator[Block]:
    goal = f"**{session.goal}**" if session.goal else ""
    when = f"*{session.when_and_hours}.*" if session.when_and_hours else ""
    head = "\n\n".join(text for text in (goal, when, session.intro.strip()) if text)
    if head:
        yield Text(head)
    if session.output:
        lines = "\n".join(f"- {item}" for item in session.output)
        yield Text(f"### At the end you have\n\n{lines}")
