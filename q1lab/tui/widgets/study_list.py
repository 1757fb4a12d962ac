"""All studies, newest first: beside the lab on a wide screen, else in a dialog with a search
field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widgets.option_list import Option

from q1lab.index.study_view import StudyRow
from q1lab.study.run_states import STATE_SYMBOLS, RunState
from q1lab.tui.widgets.choice_list import WALK, RefilledList
from q1lab.tui.widgets.theme_colors import Palette, palette

AS_RUNS = {"planned": RunState.QUEUED, "unreadable": RunState.FAILED}
"""States of a study that share the sign of a run state of another name."""

MOST = 150
"""At most this many studies are listed: laying out a long list takes longer than reading it."""


def search_text(line: StudyRow) -> str:
    """The text that a search for a study looks in."""
    return " ".join(
        (
            line.id,
            line.variant,
            line.baseline,
            line.preset,
            line.data,
            line.state,
            line.created[:10],
        )
    )


def study_row(line: StudyRow, current: str | None, colors: Palette) -> Text:
    """A study in a line; ``▸`` marks the one in focus."""
    state = AS_RUNS.get(line.state) or RunState(line.state)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("▸" if line.id == current else " ", style="bold")
    text.append(f"{STATE_SYMBOLS[state]} ", style=colors.state(state))
    text.append(line.id, style="bold" if line.id == current else "")
    details = f"{line.done}/{line.total} {line.preset} {line.data}"
    details = "damaged" if line.problem else details
    text.append(f"  {details}", style=colors.muted)
    return text


class StudyList(RefilledList):
    """The list of studies; an option's id is the study's id."""

    BINDINGS: ClassVar[list[BindingType]] = WALK

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id, markup=False, compact=True)

    def show(self, lines: Sequence[StudyRow], current: str | None) -> None:
        """Show these studies; moves the cursor to the current one unless the list has the focus."""
        colors, more = palette(self.app), len(lines) - MOST
        rows = [Option(study_row(line, current, colors), id=line.id) for line in lines[:MOST]]
        if more > 0:
            words = Text(f"  {more:,} older: / finds them", style=colors.muted)
            rows.append(Option(words, disabled=True))
        self.put(rows)
        here = next((k for k, one in enumerate(rows) if one.id == current), None)
        if here is not None and not self.has_focus:
            self.highlighted = here
