"""A step kind in one file: its row, what its author is told, and its form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.week.step_kinds import StepKind

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab
    from q1lab.week.syllabus import Step, Week


def _too_long(step: Step, week: Week) -> str:
    return "is a haiku of more than five minutes" if (step.minutes or 0) > 5 else ""


HAIKU = StepKind(
    "asks for a haiku",
    form="tests.kit.toy_kind:write",
    enter="compose",
    enter_again="recite",
    in_words=True,
    fault=_too_long,
)


def write(app: Q1Lab, step: Step) -> None:
    from q1lab.tui.screens.answer import AnswerScreen

    app.push_screen(AnswerScreen(step, app.snapshot.progress.of(step.id).answer or ""))
