"""The parts of the week as its retrospective tells them: minutes planned and spent, steps done and
left undone. The sentences are in the first person; the document is the learner's."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from q1lab.ground.text_formats import DASH, hours_minutes, plural
from q1lab.week import progress, step_commands
from q1lab.week.syllabus import Week

OVER = 1.25
"""A part slipped when it took more than this many times its planned minutes."""
ACCELERATED, SUSTAINABLE = 0.85, 1.25
"""Actual over planned minutes: below the first the pace was accelerated, up to the second
sustainable."""
MOST_NAMED = 4
"""Parts whose open steps are named; of more, the table tells how many."""


@dataclass(frozen=True)
class PartRecord:
    """A part: planned and actual minutes, the number of its steps that could be done before the
    retrospective is written, and the titles of those that are not."""

    title: str
    planned: float
    actual: float
    steps: int
    left: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        return bool(self.steps) and not self.left

    @property
    def timed(self) -> bool:
        """True if the timer ran for it. A few seconds are a key pressed by mistake."""
        return self.actual >= 0.5

    @property
    def overran(self) -> bool:
        """True if it took longer than planned by more than a quarter."""
        return bool(self.planned) and self.actual > OVER * self.planned

    @property
    def done(self) -> str:
        """``9 of 13``."""
        return f"{self.steps - len(self.left)} of {self.steps}" if self.steps else DASH


def parts_of_week(week: Week, done: progress.Progress) -> list[PartRecord]:
    """Every part of the week. What comes after the retrospective was not left undone, and its own
    commit may tick it: the part that it is written in would else never be finished."""
    titles = {step.id: step.title for step in week.steps()}
    before = itertools.takewhile(
        lambda step: step.done_when not in step_commands.CONDITIONS["retro"], week.steps()
    )
    required = {step.id for step in before if not step.optional}
    parts = []
    for part in week.parts():
        steps = [step for step in part.steps if step.id in required]
        left = tuple(
            f"answer again: {titles[step.repeat_of]}" if step.repeat_of in titles else step.title
            for step in steps
            if not done.of(step.id).done
        )
        counted = done.count([part])
        parts.append(
            PartRecord(part.title, counted.minutes, counted.seconds / 60, len(steps), left)
        )
    return parts


def together(parts: Sequence[PartRecord]) -> PartRecord:
    """Several parts as one."""
    return PartRecord(
        "together",
        sum(part.planned for part in parts),
        sum(part.actual for part in parts),
        sum(part.steps for part in parts),
        tuple(title for part in parts for title in part.left),
    )


def proposed_pace(parts: Sequence[PartRecord]) -> str:
    """``sustainable``, ``accelerated`` or ``behind``: what the timer says of the finished parts in
    which it ran; empty without any."""
    worked = [part for part in parts if part.timed and part.finished and part.planned > 0]
    if not worked:
        return ""
    total = together(worked)
    ratio = total.actual / total.planned
    if ratio > SUSTAINABLE:
        return "behind"
    return "accelerated" if ratio < ACCELERATED else "sustainable"


def pace_sentence(parts: Sequence[PartRecord], *, is_judged: bool = False) -> str:
    """What the timer says, with its minutes, or where the learner judged the pace the minutes
    alone; empty where nothing was timed."""
    timed, many = [part for part in parts if part.timed], len(parts)
    if not timed:
        return ""
    word, total = proposed_pace(parts), together(timed)
    pace = "I was behind" if word == "behind" else f"the pace was {word}"
    judged = f"By the timer {pace}: it" if word and not is_judged else "The timer"
    return (
        f"{judged} ran for {hours_minutes(total.actual)} in {len(timed)} of {many} parts, planned "
        f"for {hours_minutes(total.planned)}."
    )


def undone_sentence(parts: Sequence[PartRecord]) -> str:
    """The steps that were left undone; empty where there are none."""
    whole = together(parts)
    if not whole.left:
        return ""
    named = [f"“{title}”" for title in whole.left[:MOST_NAMED]]
    more = f" and {len(whole.left) - MOST_NAMED} more" if whole.left[MOST_NAMED:] else ""
    many = plural(whole.steps, "step")
    return f"Of {many} I left {len(whole.left)} undone: {', '.join(named)}{more}."


def overrun_sentence(parts: Sequence[PartRecord]) -> str:
    """The parts that took much longer than planned; empty where none did."""
    longer = [
        f"“{part.title}” took {hours_minutes(part.actual)} instead of {hours_minutes(part.planned)}"
        for part in parts
        if part.overran
    ]
    return f"{'; '.join(longer)}." if longer else ""
